"""A gRPC server of the chassis in the test's own process, with a servicer that does as the test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from prometheus_client import REGISTRY

from chassis.access.door import Door
from chassis.health import Health
from chassis.server import Server
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc
from tests.waiting import until

AN_ID = "0190b6b2-0000-7000-8000-000000000000"
CONTEXT = "serving"
"""The name under which the tests' metrics stand."""

Answer = Callable[[Any, Any], Awaitable[Any]]


class Servicer(orders_pb2_grpc.OrderServiceServicer):
    """GetOrder answers what `answer` answers; the batch streams it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> Any:
        return await self._answer(request, context)

    async def BatchCreateOrders(self, request: pb.BatchCreateOrdersRequest, context: Any) -> AsyncIterator[Any]:
        yield pb.BatchCreateOrdersResponse()
        yield await self._answer(request, context)


@dataclass
class Serving:
    """The server, and a client's way to it."""

    server: Server
    health: Health
    channel: grpc.aio.Channel
    orders: Any

    def get_order(self, **options: Any) -> Any:
        """Ask for an order."""
        return self.orders.GetOrder(pb.GetOrderRequest(order_id=AN_ID), **options)

    def batch(self) -> Any:
        """Place a batch of one."""
        return self.orders.BatchCreateOrders(pb.BatchCreateOrdersRequest(entries=[pb.BatchCreateOrdersEntry()]))


@asynccontextmanager
async def serving(
    answer: Answer,
    *,
    checks: Any = None,
    needed: tuple[str, ...] = (),
    max_in_flight: int = 100,
    door: Door | None = None,
    connection_seconds: float = 0.0,
    connection_grace_seconds: float = 0.0,
) -> AsyncIterator[Serving]:
    """Serve, and stop at the end of the block."""
    health = Health(CONTEXT, checks or {}, needed)
    server = Server(
        CONTEXT, "127.0.0.1:0", health, max_in_flight, door,
        connection_seconds=connection_seconds, connection_grace_seconds=connection_grace_seconds,
    )  # fmt: skip
    server.add(orders_pb2_grpc.add_OrderServiceServicer_to_server, Servicer(answer))  # type: ignore[abstract]
    await server.start()
    await health.started()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Serving(server, health, channel, orders_pb2_grpc.OrderServiceStub(channel))
        # A caller has its answer a moment before the call is counted.
        await asyncio.to_thread(until, lambda: REGISTRY.get_sample_value(f"{CONTEXT}_rpc_in_flight") == 0, seconds=5)
    await server.stop(0)


def counted(code: str, method: str = "GetOrder") -> float:
    """How many RPCs ended in `code` so far."""
    labels = {"method": f"orders.v1.OrderService/{method}", "code": code}
    return REGISTRY.get_sample_value(f"{CONTEXT}_rpc_requests_total", labels) or 0
