"""An order service that tells watchers what a test says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chassis.errors import NotFound
from chassis.status import status_of
from protos.orders.v1 import orders_pb2 as pb

WATCH = "/orders.v1.OrderService/BatchWatchOrders"
UNKNOWN = "0190b6b2-0000-7000-8000-00000000dead"


def an_event(number: int, customer_id: str = "c-17", type_: str = "OrderPlaced", **more: Any) -> pb.OrderEvent:
    """Something that happened; its id is its number."""
    return pb.OrderEvent(
        id=str(number), type=type_, order_id="0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11", customer_id=customer_id,
        status="ORDER_STATUS_PENDING", payment_status="PAYMENT_STATUS_NONE", total_amount="5.10", currency="GBP",
        reason="Placed.", version=1, at={"seconds": 1_769_860_800}, **more,
    )  # fmt: skip


Messages = asyncio.Queue[pb.BatchWatchOrdersResponse | None]


class Broadcast:
    """Keeps what happened, and tells it to whoever watches its customer, behind the id that they name."""

    def __init__(self) -> None:
        self.past: list[pb.OrderEvent] = []
        self.asked: list[pb.AddedWatch] = []
        self.streams: dict[Messages, dict[int, pb.AddedWatch]] = {}
        """The streams of all gateways, with their watches."""

    @property
    def watching(self) -> int:
        """How many watch."""
        return sum(map(len, self.streams.values()))

    async def serve(self, requests: AsyncIterator[pb.BatchWatchOrdersRequest], context: Any) -> AsyncIterator[Any]:
        """The method's behaviour."""
        told: Messages = asyncio.Queue()
        self.streams[told] = {}
        asking = asyncio.create_task(self._heed(requests, told))
        try:
            while (message := await told.get()) is not None:
                yield message
        finally:
            asking.cancel()
            del self.streams[told]

    async def happen(self, *events: pb.OrderEvent) -> None:
        """It is told at once."""
        self.past += events
        for event in events:
            for told, watches in self.streams.items():
                ids = [id_ for id_, each in watches.items() if each.request.customer_id == event.customer_id]
                delivery = pb.WatchDelivery(watch_ids=ids, event=event)
                told.put_nowait(pb.BatchWatchOrdersResponse(deliveries=[delivery]))

    async def tell(self, message: pb.BatchWatchOrdersResponse) -> None:
        """To all streams."""
        for told in self.streams:
            told.put_nowait(message)

    async def break_off(self) -> None:
        """All streams end."""
        for told in self.streams:
            told.put_nowait(None)

    async def _heed(self, requests: AsyncIterator[pb.BatchWatchOrdersRequest], told: Messages) -> None:
        async for request in requests:
            for watch_id in request.removed:
                self.streams[told].pop(watch_id, None)
            for added in request.added:
                self.asked.append(added)
                told.put_nowait(self._answer(added, self.streams[told]))

    def _answer(self, added: pb.AddedWatch, watches: dict[int, pb.AddedWatch]) -> pb.BatchWatchOrdersResponse:
        if added.request.order_id == UNKNOWN:
            refused = status_of(NotFound("there is no such order"), "orders")
            return pb.BatchWatchOrdersResponse(ended=[pb.EndedWatch(watch_id=added.watch_id, error=refused)])
        watches[added.watch_id] = added
        behind = int(added.request.last_event_id or len(self.past))
        missed = [e for e in self.past if int(e.id) > behind and e.customer_id == added.request.customer_id]
        return pb.BatchWatchOrdersResponse(
            joined=[pb.JoinedWatch(watch_id=added.watch_id, position=str(behind), is_caught_up=True)],
            deliveries=[pb.WatchDelivery(watch_ids=[added.watch_id], event=event) for event in missed],
        )
