"""A whole system that asks who calls, and callers of every kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
from google.protobuf.descriptor import MethodDescriptor

from chassis.settings import GRPC_PORTS
from deploy.local import Stack
from deploy.local.issuer.signing import Signer, signer_of
from gateway.client.errors import from_rpc
from gateway.rest.descriptors import load_descriptors
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1.orders_pb2_grpc import OrderServiceStub

Metadata = tuple[tuple[str, str | bytes], ...]

PATIENCE = 10.0
A_WHILE = 1.0
"""For a stream that was let in and has nothing to say."""


def methods() -> list[MethodDescriptor]:
    """Every method of every service."""
    return [method for service in load_descriptors().services for method in service.methods]


def saying(authorization: str) -> Metadata:
    """What a call carries that says who calls."""
    return (("authorization", authorization),)


@dataclass
class Closed:
    """The system's ports, and the issuer's key."""

    stack: Stack
    channels: dict[str, grpc.Channel] = field(default_factory=dict)

    @property
    def signer(self) -> Signer:
        """Makes tokens as the issuer does."""
        assert self.stack.issuer is not None
        return signer_of(self.stack.place.state, self.stack.issuer.url)

    def bearer(self, role: str, name: str) -> str:
        """What a caller sends in `authorization`; a customer's name is also their number."""
        return f"Bearer {self.signer.token(role, name, name if role == 'customer' else '')}"

    def channel(self, context: str) -> grpc.Channel:
        """To one service, past the gateway."""
        if context not in self.channels:
            self.channels[context] = grpc.insecure_channel(self.stack.place.address(context))
        return self.channels[context]

    def rpc(self, context: str, method: MethodDescriptor, authorization: str | None) -> str:
        """The code of the refusal that an empty request ends with; nothing for one that was served, or let in."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        call = getattr(self.channel(context), kind)(path)
        metadata = saying(authorization) if authorization is not None else None
        request: Any = iter([]) if method.client_streaming else b""
        seconds = A_WHILE if method.server_streaming else PATIENCE
        try:
            answer = call(request, metadata=metadata, timeout=seconds, wait_for_ready=True)
            if method.server_streaming:
                next(answer, None)
        except grpc.RpcError as error:
            code = from_rpc(error, context).code
            return "" if method.server_streaming and code == "deadline_exceeded" else code
        return ""

    def contexts_of(self, method: MethodDescriptor) -> list[str]:
        """Where a method is served: operations are everywhere."""
        context = method.full_name.partition(".")[0]
        return list(GRPC_PORTS) if context == "operations" else [context]

    @property
    def rest(self) -> str:
        """Where REST answers."""
        return f"http://{self.stack.place.address('rest')}"

    def ask(self, verb: str, path: str, authorization: str | None = None, body: object = None) -> httpx.Response:
        """One request over REST; of what does not end by itself, only the head is read."""
        headers = {"authorization": authorization} if authorization is not None else {}
        timeout = httpx.Timeout(PATIENCE)
        with (
            httpx.Client(base_url=f"{self.rest}/api/v1", timeout=timeout, trust_env=False) as client,
            client.stream(verb, path, headers=headers, json=body) as answer,
        ):
            if answer.headers.get("content-type", "").startswith(("application/", "text/csv")):
                answer.read()
            return answer

    @property
    def orders(self) -> OrderServiceStub:
        """The order service, past the gateway."""
        return OrderServiceStub(self.channel("orders"))

    def close(self) -> None:
        """Let the connections go."""
        for channel in self.channels.values():
            channel.close()


def entry(customer_id: str, key: str, sku: str, authorization: str = "") -> pb.BatchCreateOrdersEntry:
    """An order for a batch."""
    request = pb.CreateOrderRequest(
        customer_id=customer_id, idempotency_key=key, items=[pb.CreateOrderItem(sku=sku, quantity=1)], wait_ms=0
    )
    return pb.BatchCreateOrdersEntry(request=request, authorization=authorization)


def reasons(results: Iterator[pb.BatchCreateOrdersResponse]) -> Mapping[int, int]:
    """The gRPC code of each entry's last word, 0 for an order."""
    told: dict[int, int] = {}
    for response in results:
        for result in response.results:
            told[result.index] = result.error.code if result.WhichOneof("outcome") == "error" else 0
    return told
