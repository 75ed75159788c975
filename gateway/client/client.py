"""All services of all contexts, each behind one channel that is made when it is first used."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

import grpc

from chassis import tls
from gateway.client.service import Service
from protos.inventory.v1.inventory_pb2_grpc import CatalogueServiceStub, InventoryServiceStub
from protos.operations.v1.operations_pb2_grpc import OperationsServiceStub
from protos.orders.v1.imports_pb2_grpc import ImportServiceStub
from protos.orders.v1.orders_pb2_grpc import OrderServiceStub
from protos.orders.v1.privacy_pb2_grpc import PrivacyServiceStub
from protos.orders.v1.reports_pb2_grpc import ReportServiceStub
from protos.orders.v1.stuck_pb2_grpc import StuckOrderServiceStub
from protos.payments.v1.payments_pb2_grpc import PaymentServiceStub
from protos.suppliers.v1.suppliers_pb2_grpc import SupplierServiceStub

PORTS: Final[Mapping[str, int]] = {"orders": 50051, "inventory": 50052, "suppliers": 50053, "payments": 50054}
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 64 << 20),
)

S = TypeVar("S")


def addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """Where each context is: `<CONTEXT>_ADDRESS`, else its port on this machine plus PORT_OFFSET.

    Raises ValueError when PORT_OFFSET is not a whole number.
    """
    offset = int(environment.get("PORT_OFFSET") or 0)
    return {
        context: environment.get(f"{context.upper()}_ADDRESS") or f"127.0.0.1:{port + offset}"
        for context, port in PORTS.items()
    }


class Client:
    """The services of an installation. To be closed, or used as a context manager."""

    def __init__(
        self, addresses: Mapping[str, str], token: str = "", credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self._addresses = addresses
        self._token = token
        self._credentials = credentials
        self._channels: dict[str, grpc.Channel] = {}

    @classmethod
    def from_environment(cls) -> Self:
        """The services that PORT_OFFSET and `<CONTEXT>_ADDRESS` name, shown API_TOKEN, by TLS where TLS_CA_FILE is."""
        return cls(addresses(os.environ), os.environ.get("API_TOKEN", ""), tls.credentials_in(os.environ))

    @property
    def orders(self) -> Service[OrderServiceStub]:
        """Placing, reading, cancelling."""
        return self._service("orders", OrderServiceStub)

    @property
    def imports(self) -> Service[ImportServiceStub]:
        """Files of orders."""
        return self._service("orders", ImportServiceStub)

    @property
    def reports(self) -> Service[ReportServiceStub]:
        """Figures."""
        return self._service("orders", ReportServiceStub)

    @property
    def privacy(self) -> Service[PrivacyServiceStub]:
        """Customers who want to be forgotten."""
        return self._service("orders", PrivacyServiceStub)

    @property
    def stuck_orders(self) -> Service[StuckOrderServiceStub]:
        """Orders that wait for too long."""
        return self._service("orders", StuckOrderServiceStub)

    @property
    def catalogue(self) -> Service[CatalogueServiceStub]:
        """Products."""
        return self._service("inventory", CatalogueServiceStub)

    @property
    def inventory(self) -> Service[InventoryServiceStub]:
        """Stock."""
        return self._service("inventory", InventoryServiceStub)

    @property
    def payments(self) -> Service[PaymentServiceStub]:
        """What became of orders' money."""
        return self._service("payments", PaymentServiceStub)

    @property
    def suppliers(self) -> Service[SupplierServiceStub]:
        """What was ordered from suppliers, and what became of it."""
        return self._service("suppliers", SupplierServiceStub)

    def operations(self, context: str) -> Service[OperationsServiceStub]:
        """What an operator sees of one context."""
        return self._service(context, OperationsServiceStub)

    def close(self) -> None:
        """Close all channels."""
        while self._channels:
            self._channels.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _service(self, context: str, stub: Callable[[grpc.Channel], S]) -> Service[S]:
        address = self._addresses[context]
        if context not in self._channels:
            self._channels[context] = tls.channel(address, self._credentials, _OPTIONS)
        return Service(stub(self._channels[context]), f"the {context} service at {address}", self._token)
