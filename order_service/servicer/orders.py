"""The gRPC face of orders: decode, delegate, encode."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import ids, tracing
from chassis.access.caller import Caller, current
from chassis.access.door import Door
from chassis.access.policy import policy_named
from chassis.batcher import Batcher, Writer
from chassis.database import Database
from chassis.errors import PermissionDenied, Refusal, ValidationFailed
from chassis.interceptor import Context
from chassis.server import mark_accepted, mark_replayed
from order_service import queries, wire
from order_service.commands import CancelOrder, RefundOrder
from order_service.domain import OrderNotFound, Status
from order_service.metrics import OrderMetrics
from order_service.queries import Filters
from order_service.servicer.asking import Asking
from order_service.servicer.placing import Answer, Entry, PlacingDesk, refusal_to_proto, result_to_proto
from order_service.tables import Shown
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1.orders_pb2_grpc import OrderServiceServicer

PAGE_SIZE: Final = 15
EXPORT_PAGE_SIZE: Final = 500
_BATCH: Final = "/orders.v1.OrderService/BatchCreateOrders"
_READ_BATCH: Final = "/orders.v1.OrderService/BatchGetOrders"


class Live(Protocol):
    """Tells watchers what becomes of orders."""

    async def watch(self, request: pb.WatchOrdersRequest, context: Context) -> None:
        """One subject on the stream."""

    async def batch_watch(self, requests: AsyncIterator[pb.BatchWatchOrdersRequest], context: Context) -> None:
        """Many subjects on the stream."""

    def look(self) -> None:
        """Something was committed here."""


class OrderServicer(OrderServiceServicer):
    """Places orders, shows them, tells what becomes of them, and takes the wish for their end."""

    def __init__(
        self,
        database: Database,
        desk: PlacingDesk,
        writer: Writer,
        reader: "Batcher[str, Shown]",
        metrics: OrderMetrics,
        door: Door,
        live: Live,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._desk = desk
        self._writer = writer
        self._reader = reader
        self._door = door
        self._may_place = policy_named(_BATCH)
        self._may_read = policy_named(_READ_BATCH)
        self._live = live

    async def BatchCreateOrders(
        self, request: pb.BatchCreateOrdersRequest, context: Context
    ) -> AsyncIterator[pb.BatchCreateOrdersResponse]:
        """Each entry on its own account: first stored, then, where it waits, decided.

        Rule (protocols: placing): not atomic. Each entry has its caller's token, trace, patience and key, and its own
        result.
        """
        callers = await self._door.callers_of([entry.authorization for entry in request.entries], self._may_place)
        entries, refused = self._accept(request.entries, callers)
        if refused:
            yield pb.BatchCreateOrdersResponse(results=refused)
        if entries:
            async for answers in self._desk.place(entries):
                if answers:
                    self._live.look()
                    yield pb.BatchCreateOrdersResponse(results=[result_to_proto(answer) for answer in answers])

    def _accept(
        self, sent: Sequence[pb.BatchCreateOrdersEntry], callers: Sequence[Caller | Refusal]
    ) -> tuple[list[Entry], list[pb.BatchCreateOrdersResult]]:
        accepted: list[Entry] = []
        refused: list[pb.BatchCreateOrdersResult] = []
        waiting = 0
        for index, (entry, caller) in enumerate(zip(sent, callers, strict=True)):
            trace = entry.traceparent if tracing.is_traceparent(entry.traceparent) else tracing.new_traceparent()
            patience = entry.deadline_ms / 1000 if entry.deadline_ms > 0 else None
            try:
                if isinstance(caller, Refusal):
                    raise caller
                accepted.append(self._desk.accept(index, entry.request, caller, trace, patience, waiting))
                waiting += accepted[-1].wait_until > 0
            except Refusal as refusal:  # an answer to this entry alone
                refused.append(refusal_to_proto(index, refusal))
        return accepted, refused

    async def CreateOrder(self, request: pb.CreateOrderRequest, context: Context) -> pb.Order:
        """One order; the answer waits for the decision about its stock as long as the request says."""
        entry = self._desk.accept(0, request, current.get(), tracing.current.get(), context.time_remaining())
        answer = Answer(entry, is_final=False)
        async for answers in self._desk.place([entry]):
            answer = answers[-1] if answers else answer
        if entry.is_replayed:
            mark_replayed(context)
        if answer.error is not None:
            raise answer.error
        if entry.standing is None or not entry.standing.is_held:
            mark_accepted(context)
        return entry.order

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.Order:
        """One order."""
        return wire.order_to_proto(await self._seen(request.order_id.lower()))

    async def BatchGetOrders(self, request: pb.BatchGetOrdersRequest, context: Context) -> pb.BatchGetOrdersResponse:
        """Several orders, each shown to its own caller or refused to it alone.

        Rule (P13): each entry is judged by its own token; that of a neighbour opens nothing.
        """
        callers = await self._door.callers_of([entry.authorization for entry in request.entries], self._may_read)
        asked = [Asking.of(entry.request, caller) for entry, caller in zip(request.entries, callers, strict=True)]
        order_ids = list(dict.fromkeys(each.order_id for each in asked if each.refusal is None))
        found = await asyncio.gather(*self._reader.submit_many(order_ids), return_exceptions=True)
        read = dict(zip(order_ids, found, strict=True))
        return pb.BatchGetOrdersResponse(results=[each.answered(read.get(each.order_id)) for each in asked])

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        """A page of orders, newest first."""
        size = request.page_size if request.HasField("page_size") else PAGE_SIZE
        filters = _filters(request)
        page, token = await self._database.aread(
            lambda connection: queries.list_orders(connection, filters, size, request.page_token)
        )
        orders = [wire.order_to_proto(shown) for shown in page]
        return pb.ListOrdersResponse(orders=orders, page_size=size, next_page_token=token)

    async def ExportOrders(
        self, request: pb.ExportOrdersRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        """The same orders as CSV; a page is read when the caller has taken the one before."""
        read = partial(queries.list_orders, filters=_filters(request), page_size=EXPORT_PAGE_SIZE)
        page, token = await self._database.aread(partial(read, page_token=""))
        yield wire.export_head()
        # In a thread: hundreds of lines at a time are long for those who wait on the loop for an order of theirs.
        yield await asyncio.to_thread(wire.export_piece, page)
        while token:
            page, token = await self._database.aread(partial(read, page_token=token))
            yield await asyncio.to_thread(wire.export_piece, page)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.Order:
        """Asks for an order's end; accepted, not done, while something must still be undone."""
        caller = current.get()
        command = CancelOrder(
            request.order_id.lower(),
            wire.normal(request.reason),
            caller.actor,
            tracing.current.get(),
            caller.customer_id,
        )
        shown, has_moved = await self._writer.submit(command)
        self._live.look()
        self._metrics.cancelling(has_moved)
        if shown.standing.status == Status.CANCELLING:
            mark_accepted(context)
        return wire.order_to_proto(shown)

    async def RefundOrder(self, request: pb.RefundOrderRequest, context: Context) -> pb.Refund:
        """Asks for money to be given back; equal keys name one refund."""
        wanted = wire.wanted_refund(request, self._desk.currency)
        actor, trace = current.get().actor, tracing.current.get()
        command = RefundOrder(ids.new_id(), request.order_id.lower(), wanted, actor, trace)
        stands = await self._writer.submit(command)
        if stands.is_replayed:
            mark_replayed(context)
        return wire.refund_to_proto(stands.refund, stands.currency)

    async def ListOrderTimeline(
        self, request: pb.ListOrderTimelineRequest, context: Context
    ) -> pb.ListOrderTimelineResponse:
        """Every step of an order, oldest first."""
        order_id = request.order_id.lower()
        if current.get().is_customer:
            await self._seen(order_id)
        rows = await self._database.aread(lambda connection: queries.timeline_of(connection, order_id))
        return pb.ListOrderTimelineResponse(steps=[wire.step_to_proto(row) for row in rows])

    # Streams that are written here, not handed on: so what has waited too long for its reader can be broken off.
    async def WatchOrders(self, request: pb.WatchOrdersRequest, context: Context) -> None:  # type: ignore[override]
        """What becomes of an order, or of a customer's orders, as it happens."""
        await self._live.watch(request, context)

    async def BatchWatchOrders(  # type: ignore[override]
        self, request: AsyncIterator[pb.BatchWatchOrdersRequest], context: Context
    ) -> None:
        """Many watches on one stream."""
        await self._live.batch_watch(request, context)

    async def _seen(self, order_id: str) -> Shown:
        """Rule (P13): another customer's order does not exist, in the same words as one that was never placed."""
        shown = await self._reader.submit(order_id)
        if not current.get().may_see(shown.terms.customer_id):
            raise OrderNotFound(f"there is no order {order_id}")
        return shown


def _filters(request: pb.ListOrdersRequest | pb.ExportOrdersRequest) -> Filters:
    return Filters(
        customer_id=_whose(wire.normal(request.customer_id)),
        status=wire.status_name(request.status),
        placed_after=_instant(request, "placed_after"),
        placed_before=_instant(request, "placed_before"),
        sku=wire.normal(request.sku),
    )


def _whose(customer_id: str) -> str:
    """Whose orders a caller is shown: a customer their own, whatever they ask for."""
    caller = current.get()
    if not caller.is_customer:
        return customer_id
    if customer_id not in ("", caller.customer_id):
        raise PermissionDenied("a customer lists only their own orders")
    return caller.customer_id


def order_reader(database: Database, context: str) -> "Batcher[str, Shown]":
    """Reads single orders in batches: many who ask at the same time share one statement."""

    def read(order_ids: Sequence[str]) -> list[Shown | Exception]:
        found = database.read(lambda connection: queries.get_orders(connection, order_ids))
        return [found.get(order_id) or OrderNotFound(f"there is no order {order_id}") for order_id in order_ids]

    return Batcher(read, context=context, name="reader", only_awaited=True)


def _instant(request: pb.ListOrdersRequest | pb.ExportOrdersRequest, field: str) -> datetime | None:
    if not request.HasField(field):
        return None
    stamp: Timestamp = getattr(request, field)
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationFailed("the request is not valid", fields={field: ["is not a date of our time"]}) from error
