"""Inventory's catalogue over gRPC."""

from collections.abc import Sequence
from typing import Final

import grpc

from chassis import tls, tracing
from chassis.access.service_token import ServiceToken
from chassis.errors import Unavailable
from chassis.logs import get_logger
from chassis.money import parse_amount
from order_service.domain import Product
from protos.inventory.v1 import inventory_pb2 as pb
from protos.inventory.v1.inventory_pb2_grpc import CatalogueServiceStub

_PATIENCE_SECONDS: Final = 2.0
_MOST_SKUS: Final = 5_000
_OPTIONS: Final = (
    # By default a channel may stay away from a server that is back for two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
)

log = get_logger(__name__)


class InventoryCatalogue:
    """Asks inventory, with little patience: somebody waits for the answer."""

    def __init__(
        self,
        address: str,
        credentials: grpc.ChannelCredentials | None = None,
        token: ServiceToken | None = None,
    ) -> None:
        """`token` is what inventory is shown, where it asks who calls."""
        self._token = token
        self._channel = tls.aio_channel(address, credentials, _OPTIONS)
        self._stub = CatalogueServiceStub(self._channel)

    async def close(self) -> None:
        """Let the connection go."""
        await self._channel.close()

    async def products(self, skus: Sequence[str]) -> list[Product]:
        """Those of these products that exist. Raises Unavailable when inventory is silent."""
        found: list[Product] = []
        for start in range(0, len(skus), _MOST_SKUS):
            found += await self._ask(skus[start : start + _MOST_SKUS])
        return found

    async def _ask(self, skus: Sequence[str]) -> list[Product]:
        request = pb.BatchGetProductsRequest(skus=skus)
        metadata = [("traceparent", tracing.current.get() or tracing.new_traceparent())]
        if self._token is not None:
            metadata.append(("authorization", await self._token.header()))
        try:
            response = await self._stub.BatchGetProducts(request, timeout=_PATIENCE_SECONDS, metadata=tuple(metadata))
        except grpc.aio.AioRpcError as error:
            log.warning("inventory does not answer", code=error.code().name, skus=len(skus))
            raise Unavailable("the catalogue cannot be asked at the moment") from error
        return [_product(product) for product in response.products]


def _product(message: pb.Product) -> Product:
    price = parse_amount(message.price, message.currency)
    return Product(message.sku, message.name, price, message.currency, message.active, message.version)
