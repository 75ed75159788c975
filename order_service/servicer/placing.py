"""Placing, as gRPC asks for it: entries checked one by one, stored in batches, and each waited for on its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chassis import clock, ids
from chassis.access.caller import Caller
from chassis.batcher import Writer
from chassis.database import Database
from chassis.errors import PermissionDenied, Refusal, Unavailable
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.status import status_of
from order_service import wire
from order_service.commands import Placed, PlaceOrder, copy_products
from order_service.domain import FailureCode, NotInCopy, Status
from order_service.feed import Vigil, Waiters
from order_service.metrics import OrderMetrics
from order_service.ports import Catalogue
from order_service.tables import CONTEXT, Standing
from order_service.wire import Asked
from protos.orders.v1 import orders_pb2 as pb

_MARGIN_SECONDS: Final = 0.1
"""Who is answered at the very end of his patience is not answered."""

log = get_logger(__name__)


@dataclass(slots=True, eq=False)
class Entry:
    """One request on its way: to be stored, then perhaps to be waited for until `wait_until` (monotonic seconds)."""

    index: int
    command: PlaceOrder
    wait_until: float
    order: pb.Order = field(default_factory=pb.Order)
    standing: Standing | None = None
    is_replayed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An entry with its order as it stands, or why it has none; nothing follows a final one."""

    entry: Entry
    is_final: bool
    error: Exception | None = None


Stored = tuple[Entry, Placed | Exception]


class PlacingDesk:
    """Takes requests for orders and answers each at least once: when it is stored, and when it is decided."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        catalogue: Catalogue,
        waiters: Waiters,
        metrics: OrderMetrics,
        currency: str,
    ) -> None:
        self._database = database
        self._writer = writer
        self._catalogue = catalogue
        self._waiters = waiters
        self._metrics = metrics
        self.currency = currency

    def accept(
        self,
        index: int,
        request: pb.CreateOrderRequest,
        caller: Caller,
        traceparent: str,
        patience: float | None,
        beside: int = 0,
    ) -> Entry:
        """Check a request by itself. Raises ValidationFailed, PermissionDenied, or Overloaded (too many would wait).

        `patience` are the seconds that its caller has; `beside` counts the entries of its batch that will wait as well.
        """
        asked = wire.decode(request, self.currency)
        if not caller.may_see(asked.customer_id):
            raise PermissionDenied("a customer places orders only for themselves")
        seconds = asked.wait_seconds if patience is None else min(asked.wait_seconds, patience - _MARGIN_SECONDS)
        if seconds <= 0:
            return Entry(index, _command(asked, caller.actor, traceparent), wait_until=0.0)
        self._waiters.admit(beside + 1)
        return Entry(index, _command(asked, caller.actor, traceparent), clock.monotonic() + seconds)

    async def place(self, entries: Sequence[Entry]) -> AsyncIterator[list[Answer]]:
        """Store the entries, then wait for those that want to; each comes back once as final, in whatever order."""
        vigil = Vigil()
        watched = {entry.command.id: [entry] for entry in entries if entry.wait_until}
        # Rule (protocols: placing): a waiter registers before it places.
        for order_id in watched:
            self._waiters.wait_for(vigil, order_id)
        try:
            async for stored in self._store(entries):
                answers = [self._answer(entry, result) for entry, result in stored]
                self._watch(vigil, watched, answers)
                yield answers
            while watched:
                yield await self._next_decided(vigil, watched)
        finally:
            self._waiters.forget(vigil, watched)

    async def _store(self, entries: Sequence[Entry]) -> AsyncIterator[list[Stored]]:
        """Results as they are known: those that need a product which the copy lacks come second."""
        results = await self._submit(entries)
        lacking = [(entry, result.skus) for entry, result in results if isinstance(result, NotInCopy)]
        if len(lacking) < len(results):
            yield [pair for pair in results if not isinstance(pair[1], NotInCopy)]
        if lacking:
            skus = sorted({sku for _, skus in lacking for sku in skus})
            yield await self._store_after_asking([entry for entry, _ in lacking], skus)

    async def _store_after_asking(self, entries: Sequence[Entry], skus: Sequence[str]) -> list[Stored]:
        """Rule (protocols: placing): inventory is asked once a batch, outside any transaction; its silence is a 503."""
        try:
            products = await self._catalogue.products(skus)
            await self._database.awrite(lambda connection: copy_products(connection, products))
        except Unavailable as refusal:
            return [(entry, refusal) for entry in entries]
        for entry in entries:
            entry.command = entry.command._replace(is_copy_complete=True)
        return await self._submit(entries)

    async def _submit(self, entries: Sequence[Entry]) -> list[Stored]:
        try:
            futures = self._writer.submit_many([entry.command for entry in entries])
        except Refusal as refusal:
            return [(entry, refusal) for entry in entries]
        results: list[Any] = await asyncio.gather(*futures, return_exceptions=True)
        failpoint("orders.place.after_commit")
        replayed = sum(isinstance(result, Placed) and result.is_replayed for result in results)
        placed = sum(isinstance(result, Placed) for result in results) - replayed
        self._metrics.placed(placed, replayed)
        log.info("orders placed", size=len(entries), placed=placed, replayed=replayed)
        return list(zip(entries, results, strict=True))

    def _answer(self, entry: Entry, result: Placed | Exception) -> Answer:
        if not isinstance(result, Placed):
            return Answer(entry, is_final=True, error=result)
        entry.order = wire.order_to_proto(result.shown)
        entry.standing = result.shown.standing
        entry.is_replayed = result.is_replayed
        return _as_decided(entry) if entry.standing.status != Status.PENDING else Answer(entry, not entry.wait_until)

    def _watch(self, vigil: Vigil, watched: dict[str, list[Entry]], answers: Sequence[Answer]) -> None:
        """Keep watch over what is undecided, under the ids that the orders turned out to have."""
        for answer in answers:
            entry, own_id = answer.entry, answer.entry.command.id
            if answer.is_final:
                self._unwatch(vigil, watched, own_id)
            elif entry.standing is not None and entry.standing.id != own_id:
                # An equal request's order, which may have been decided just now: the next look will see it.
                self._unwatch(vigil, watched, own_id)
                if entry.standing.id not in watched:
                    self._waiters.wait_for(vigil, entry.standing.id)
                watched.setdefault(entry.standing.id, []).append(entry)

    def _unwatch(self, vigil: Vigil, watched: dict[str, list[Entry]], order_id: str) -> None:
        if watched.pop(order_id, None):
            self._waiters.forget(vigil, [order_id])

    async def _next_decided(self, vigil: Vigil, watched: dict[str, list[Entry]]) -> list[Answer]:
        until = min(entry.wait_until for entries in watched.values() for entry in entries)
        answers: list[Answer] = []
        for standing in await vigil.decided(until):
            for entry in watched.pop(standing.id, ()):
                entry.standing = standing
                wire.update_order(entry.order, standing)
                answers.append(_as_decided(entry))
        return answers or self._overdue(vigil, watched)

    def _overdue(self, vigil: Vigil, watched: dict[str, list[Entry]]) -> list[Answer]:
        now = clock.monotonic()
        answers: list[Answer] = []
        for order_id, entries in list(watched.items()):
            answers += [Answer(entry, is_final=True) for entry in entries if entry.wait_until <= now]
            if left := [entry for entry in entries if entry.wait_until > now]:
                watched[order_id] = left
            else:
                self._unwatch(vigil, watched, order_id)
        return answers


def _as_decided(entry: Entry) -> Answer:
    """Whatever became of an order whose stock was held is told with the order; only a lack of stock is a refusal."""
    standing = entry.standing
    if standing is not None and standing.failure_code == FailureCode.INSUFFICIENT_STOCK:
        return Answer(entry, is_final=True, error=wire.insufficient_stock(standing))
    return Answer(entry, is_final=True)


def result_to_proto(answer: Answer) -> pb.BatchCreateOrdersResult:
    """An answer as a batch tells it."""
    entry = answer.entry
    if answer.error is not None:
        result = refusal_to_proto(entry.index, answer.error)
        result.replayed = entry.is_replayed
        return result
    is_held = entry.standing is not None and entry.standing.is_held
    return pb.BatchCreateOrdersResult(
        index=entry.index, order=entry.order, final=answer.is_final, replayed=entry.is_replayed, held=is_held
    )


def refusal_to_proto(index: int, error: Exception) -> pb.BatchCreateOrdersResult:
    """Why an entry has no order, as a batch tells it."""
    return pb.BatchCreateOrdersResult(index=index, error=status_of(error, CONTEXT), final=True)


def _command(asked: Asked, actor: str, traceparent: str) -> PlaceOrder:
    return PlaceOrder(
        id=ids.new_id(),
        customer_id=asked.customer_id,
        idempotency_key=asked.idempotency_key,
        fingerprint=asked.fingerprint,
        wanted=asked.wanted,
        stock_policy=asked.stock_policy,
        payment_method=asked.payment_method,
        expected_minor=asked.expected_minor,
        currency=asked.currency,
        external_ref=asked.external_ref,
        metadata=asked.metadata,
        traceparent=traceparent,
        actor=actor,
    )
