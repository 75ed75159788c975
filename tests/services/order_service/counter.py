"""The gRPC face of an order service in the test's own process, and a client in front of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis import ids
from chassis.access.door import Door
from chassis.batcher import Writer
from chassis.errors import Unavailable
from chassis.health import Health
from chassis.redis import async_client
from chassis.server import Server
from order_service.commands import CancelOrder, PlaceOrder, cancel_orders
from order_service.domain import Product
from order_service.feed import LOOK_SECONDS, Waiters
from order_service.metrics import OrderMetrics
from order_service.reports.adapters.boards import RedisBoardReader
from order_service.reports.adapters.cache import RedisCache
from order_service.reports.servicer import ReportServicer
from order_service.servicer import OrderServicer, PlacingDesk, order_reader
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc, reports_pb2_grpc
from tests.services.order_service.shop import Shop
from tests.services.order_service.watched import Watched
from tests.waiting import until

Result = pb.BatchCreateOrdersResult
NO_REDIS: Final = "redis://127.0.0.1:9/0"
"""Nobody is there."""


@dataclass
class Shelf:
    """Inventory's catalogue as a test wants it; it notes what it was asked for."""

    sold: dict[str, Product] = field(default_factory=dict)
    is_silent: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def products(self, skus: Sequence[str]) -> list[Product]:
        self.asked.append(list(skus))
        if self.is_silent:
            raise Unavailable("nobody answers")
        return [self.sold[sku] for sku in skus if sku in self.sold]


@dataclass
class Counter:
    """Where customers are served."""

    shop: Shop
    shelf: Shelf
    waiters: Waiters
    live: Any = None
    orders: Any = None
    reports: Any = None
    between_commit_and_answer: Callable[[], None] = lambda: None

    def place(self, *lines: tuple[str, int], **changes: Any) -> Any:
        """The call of an order."""
        return self.orders.CreateOrder(a_request(*lines, **changes))

    async def batch(self, *requests: pb.CreateOrderRequest, **more: Any) -> list[list[Result]]:
        """The messages of a batch, each with its results."""
        entries = [pb.BatchCreateOrdersEntry(request=request, **more) for request in requests]
        stream = self.orders.BatchCreateOrders(pb.BatchCreateOrdersRequest(entries=entries))
        return [list(message.results) async for message in stream]

    async def stored(self, count: int = 1) -> list[str]:
        """The ids of the orders, as soon as there are so many."""
        rows = await self.comes_true(lambda: self._orders(count))
        return [row.id for row in rows]

    def _orders(self, count: int) -> Sequence[Any]:
        rows = self.shop.rows("SELECT id FROM orders ORDER BY id")
        return rows if len(rows) >= count else ()

    async def comes_true(self, condition: Callable[[], Any]) -> Any:
        """The first true value of a condition."""
        value = await self.aside(until, condition)
        assert value
        return value

    async def aside(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do it beside the event loop, as consumers do."""
        return await asyncio.to_thread(work, *arguments)


def a_request(*lines: tuple[str, int], **changes: Any) -> pb.CreateOrderRequest:
    """A request for an order that does not wait, unless it is told to."""
    items = [pb.CreateOrderItem(sku=sku, quantity=quantity) for sku, quantity in lines or (("A", 2),)]
    usual: dict[str, Any] = {"customer_id": "c-17", "idempotency_key": ids.new_id(), "wait_ms": 0}
    return pb.CreateOrderRequest(**usual | changes, items=items)


def serve(
    shop: Shop,
    scenario: Callable[[Counter], Awaitable[None]],
    *,
    look_seconds: float = LOOK_SECONDS,
    most: int = 100,
    redis_url: str = NO_REDIS,
) -> None:
    """Open the counter, let the scenario happen, close it."""

    async def run() -> None:
        async with _counter(shop, look_seconds, most, redis_url) as counter:
            async with asyncio.timeout(30):
                await scenario(counter)

    asyncio.run(run())


@asynccontextmanager
async def _counter(shop: Shop, look_seconds: float, most: int, redis_url: str) -> AsyncIterator[Counter]:
    waiters = Waiters(shop.database, asyncio.get_running_loop(), most, look_seconds)
    counter = Counter(shop, Shelf(), waiters)
    shop.listeners.append(waiters.decide)
    functions: dict[type[Any], Any] = {PlaceOrder: shop.placing.place_orders, CancelOrder: cancel_orders}
    writer = Writer(shop.database, functions, lambda: counter.between_commit_and_answer(), context="orders")
    reader, metrics = order_reader(shop.database, "orders"), OrderMetrics()
    desk = PlacingDesk(shop.database, writer, counter.shelf, waiters, metrics, "GBP")
    health = Health("orders", {}, ())
    server = Server("orders", "127.0.0.1:0", health, 100)
    live = Watched(shop, asyncio.Event())
    counter.live = live
    servicer = OrderServicer(shop.database, desk, writer, reader, metrics, Door(), live.servicer)
    server.add(orders_pb2_grpc.add_OrderServiceServicer_to_server, servicer)
    redis = async_client(redis_url)
    reports = ReportServicer(shop.database, RedisBoardReader(redis), RedisCache(redis), "GBP")
    server.add(reports_pb2_grpc.add_ReportServiceServicer_to_server, reports)
    await server.start()
    await health.started()
    for batcher in (writer, reader, *live.batchers):
        batcher.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        counter.orders = orders_pb2_grpc.OrderServiceStub(channel)
        counter.reports = reports_pb2_grpc.ReportServiceStub(channel)
        yield counter
    await server.stop(0)
    await redis.aclose()
    shop.listeners.remove(waiters.decide)
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in (writer, reader, *live.batchers)))


async def trailers_of(call: Any) -> dict[str, str]:
    """What came behind the answer."""
    return {key: value for key, value in await call.trailing_metadata() if isinstance(value, str)}


async def refusal_of(call: Any) -> status_pb2.Status:
    """The refusal that a call ends in."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None
        return status
    raise AssertionError("it was not refused")


def reason_of(status: status_pb2.Status) -> str:
    """The code that clients branch on."""
    return str(detail_of(status, error_details_pb2.ErrorInfo).reason)


def fields_of(status: status_pb2.Status) -> set[str]:
    """The fields that are wrong."""
    return {each.field for each in detail_of(status, error_details_pb2.BadRequest).field_violations}


def detail_of(status: status_pb2.Status, kind: type[Any]) -> Any:
    """The detail of this kind."""
    for packed in status.details:
        detail: Message = kind()
        if packed.Unpack(detail):
            return detail
    raise AssertionError(f"no {kind.__name__} in {status}")
