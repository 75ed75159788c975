"""The gRPC face of watching: one watch a stream, or many."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from chassis import clock
from chassis.access.caller import Caller, current
from chassis.access.door import Door
from chassis.access.policy import policy_named
from chassis.batcher import Batcher
from chassis.database import Database
from chassis.errors import PermissionDenied, Refusal, Unauthenticated, Unavailable
from chassis.interceptor import Context
from chassis.logs import get_logger
from chassis.validation import validate
from order_service.domain import OrderNotFound
from order_service.live import queries, wire
from order_service.live.domain import (
    RESET,
    Change,
    Delivery,
    Ended,
    Joined,
    Position,
    Reached,
    Subject,
    Told,
    WatcherTooSlow,
    position_of,
)
from order_service.live.feed import Outlet, Tail, Watch
from order_service.live.queries import PAGE, Past
from protos.orders.v1 import orders_pb2 as pb

ONE: Final = 1_000
MANY: Final = 20_000
"""Changes that wait for the reader of a stream before it is cut off."""
BEAT_SECONDS: Final = 5.0
_PIECE: Final = 500
STUCK_SECONDS: Final = 30.0
"""How long a reader may take nothing at all."""
SKEW_SECONDS: Final = 30.0
"""How long a stream outlives its token, as clocks differ."""
_LONGEST_SECONDS: Final = 7 * 86_400.0
_WATCH: Final = "/orders.v1.OrderService/WatchOrders"

log = get_logger(__name__)


class Questions:
    """What watches ask of the past, many at a time: after a restart thousands come back at once."""

    def __init__(self, database: Database, context: str) -> None:
        self.database = database
        self.past: Batcher[Past, list[Change] | None] = Batcher(self._read, context=context, name="past")
        self.owners: Batcher[str, str] = Batcher(self._read_owners, context=context, name="owners")

    def _read(self, asked: Sequence[Past]) -> list[list[Change] | None]:
        return self.database.read(lambda connection: queries.past_of(connection, asked))

    def _read_owners(self, order_ids: Sequence[str]) -> list[str | Exception]:
        found = self.database.read(lambda connection: queries.owners_of(connection, order_ids))
        return [found.get(order_id) or OrderNotFound(f"there is no order {order_id}") for order_id in order_ids]


class LiveServicer:
    """Tells watchers what happens; behind the last id that they name, or from now on."""

    def __init__(
        self, questions: Questions, tail: Tail, door: Door, stopping: asyncio.Event, context: str, most: int = ONE
    ) -> None:
        self._questions = questions
        self._tail = tail
        self._door = door
        self._stopping = stopping
        self._context = context
        self._most = most
        self._may_watch = policy_named(_WATCH)
        self._outlets: set[Outlet] = set()
        self._ending: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Something was committed here: whoever watches shall not wait for the next look."""
        self._tail.look()

    async def watch(self, request: pb.WatchOrdersRequest, context: Context) -> None:
        """One subject; the id to go on from when nothing has happened yet is `position` in the first metadata."""
        caller = current.get()
        subject = await self.admitted(request, caller)
        async with self._outlet(self._most) as outlet:
            watch = Watch(0, subject, outlet, caller)
            # A timer cannot wait for ever; whoever watches for so long comes back meanwhile.
            left = min(caller.expires_at + SKEW_SECONDS - clock.unix_ms() / 1000, _LONGEST_SECONDS)
            expiry = asyncio.get_running_loop().call_later(left, outlet.close, _expired())
            try:
                await self._tell(watch, request, context)
            finally:
                expiry.cancel()
                self._tail.leave(watch)

    async def _tell(self, watch: Watch, request: pb.WatchOrdersRequest, context: Context) -> None:
        is_begun = False
        async for told in self._caught_up(watch, request.last_event_id):
            if not is_begun and isinstance(told[0], Joined):
                await context.send_initial_metadata((("position", str(told[0].position)),))
                is_begun = True
            await _write_each(told, context)
        while True:
            await _write_each(await watch.outlet.take(_PIECE), context)

    async def batch_watch(self, requests: AsyncIterator[pb.BatchWatchOrdersRequest], context: Context) -> None:
        """Many subjects, added and removed as their watchers come and go, until the asker has no more to say."""
        async with self._outlet(MANY) as outlet:
            await context.send_initial_metadata(())
            shared = _Shared(self, outlet)
            try:
                asking = shared.run(self._heed(requests, shared))
                asking.add_done_callback(lambda _: outlet.finish())
                while told := await outlet.take(_PIECE):
                    shared.note(told)
                    await _write(wire.told_to_proto(told, self._context), context)
                await asking
            finally:
                shared.end()

    async def _heed(self, requests: AsyncIterator[pb.BatchWatchOrdersRequest], shared: "_Shared") -> None:
        async for request in requests:
            for watch_id in request.removed:
                shared.remove(watch_id)
            callers = await self._door.callers_of([each.authorization for each in request.added], self._may_watch)
            for added, caller in zip(request.added, callers, strict=True):
                shared.add(added, caller)

    async def begin(self, watch_id: int, request: pb.WatchOrdersRequest, caller: Caller, shared: "_Shared") -> None:
        """One of many watches: admitted, its past told, and left to the present. Raises a Refusal of its own."""
        validate(request)
        subject = await self.admitted(request, caller)
        watch = shared.watches[watch_id] = Watch(watch_id, subject, shared.outlet, caller)
        async for told in self._caught_up(watch, request.last_event_id):
            for each in told:
                shared.outlet.put(each)
            await shared.outlet.has_room()

    def forget(self, watch: Watch) -> None:
        """It is over."""
        self._tail.leave(watch)

    async def admitted(self, request: pb.WatchOrdersRequest, caller: Caller) -> Subject:
        """Rule (P13): as for reads, an order of somebody else does not exist, and their list is not to be asked for."""
        subject = wire.subject_of(request)
        if subject.customer_id:
            if not caller.may_see(subject.customer_id):
                raise PermissionDenied("a customer watches only their own orders")
        elif not caller.may_see(await self._questions.owners.submit(subject.order_id)):
            raise OrderNotFound(f"there is no order {subject.order_id}")
        return subject

    async def _caught_up(self, watch: Watch, last_event_id: str) -> AsyncIterator[Sequence[Told]]:
        """That it has joined, then its past; behind that it is told what happens.

        Rule (protocols: reading): it joins first and reads its past then, up to where it has joined; what happens
        meanwhile is held. So nothing falls between the two, and nothing is in both.
        """
        joined = await self._tail.join(watch)
        if last_event_id:
            behind = position_of(last_event_id)
            page = None if behind is None or behind > joined else await self._page(watch, behind, joined, is_first=True)
            if behind is None or page is None:
                yield [Joined(watch.id, joined, is_caught_up=False)]
                yield await self._resets(watch.subject, watch.id, joined)
            else:
                yield [Joined(watch.id, behind, is_caught_up=False)]
                async for told in self._past(watch, page, behind, joined):
                    yield told
        yield [Joined(watch.id, joined, is_caught_up=True)]
        watch.flow()

    async def _past(
        self, watch: Watch, page: list[Change], behind: Position, joined: Position
    ) -> AsyncIterator[Sequence[Told]]:
        while True:
            if page:
                yield [Delivery(change, [watch.id]) for change in page]
                behind = page[-1].position or behind
            if len(page) < PAGE:
                if not watch.is_overtaken:
                    return
                # More has happened meanwhile than is held: that is past as well now.
                self._tail.leave(watch)
                watch.hold()
                joined = await self._tail.join(watch)
            page = await self._page(watch, behind, joined) or []

    async def _page(
        self, watch: Watch, behind: Position, before: Position, *, is_first: bool = False
    ) -> list[Change] | None:
        return await self._questions.past.submit(Past(watch.subject, behind, before, is_first))

    async def _resets(self, subject: Subject, watch_id: int, joined: Position) -> list[Told]:
        """How things stand; only with the last of it a reader has all of it, and can go on from here."""
        database = self._questions.database
        found = await database.aread(lambda connection: queries.present_of(connection, subject))
        present = [change._replace(position=None) for change in found] or [_nothing(subject)]
        present[-1] = present[-1]._replace(position=joined)
        return [Delivery(change, [watch_id]) for change in present]

    @asynccontextmanager
    async def _outlet(self, most: int) -> AsyncIterator[Outlet]:
        """An outlet for one stream; it ends when the service does."""
        if self._stopping.is_set():
            raise _over()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_all())
        outlet = Outlet(most)
        self._outlets.add(outlet)
        try:
            yield outlet
        finally:
            self._outlets.discard(outlet)

    async def _end_all(self) -> None:
        await self._stopping.wait()
        for outlet in self._outlets:
            outlet.close(_over())

    def beat(self, shared: "_Shared") -> None:
        """Every few seconds: how far everybody is, and whose token has expired."""
        now = clock.unix_ms() / 1000
        for watch in [*shared.watches.values()]:
            if now > watch.caller.expires_at + SKEW_SECONDS:
                watch.end(_expired())
        if (position := self._tail.position) is not None:
            shared.outlet.put(Reached(position))


class _Shared:
    """The watches of one stream, and what is being done for them."""

    def __init__(self, live: LiveServicer, outlet: Outlet) -> None:
        self._live = live
        self.outlet = outlet
        self.watches: dict[int, Watch] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._others = {asyncio.create_task(self._beat())}

    def run(self, work: Any) -> "asyncio.Task[None]":
        """Do it as long as the stream lives."""
        task = asyncio.create_task(work)
        self._others.add(task)
        return task

    def add(self, added: pb.AddedWatch, caller: Caller | Refusal) -> None:
        """Begin one, or tell why not."""
        if isinstance(caller, Refusal):
            self.outlet.put(Ended(added.watch_id, caller))
        elif added.watch_id not in self._tasks:
            begun = self._live.begin(added.watch_id, added.request, caller, self)
            task = self._tasks[added.watch_id] = asyncio.create_task(begun)
            task.add_done_callback(lambda done: self._has_begun(added.watch_id, done))

    def remove(self, watch_id: int) -> None:
        """It is over."""
        if (task := self._tasks.pop(watch_id, None)) is not None:
            task.cancel()
        if (watch := self.watches.pop(watch_id, None)) is not None:
            self._live.forget(watch)

    def note(self, told: Sequence[Told]) -> None:
        """What is about to be told: those that it ends are over here, too."""
        for each in told:
            if isinstance(each, Ended):
                self.remove(each.watch_id)

    def end(self) -> None:
        """The stream is over, and all that is on it."""
        for task in self._others:
            task.cancel()
        for watch_id in [*self._tasks]:
            self.remove(watch_id)

    def _has_begun(self, watch_id: int, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, Refusal):
            log.error("a watch failed", exc_info=error)
        self.outlet.put(Ended(watch_id, error if isinstance(error, Refusal) else Unavailable("the watch failed")))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._live.beat(self)


async def _write_each(told: Sequence[Told], context: Context) -> None:
    """On a stream with one watch."""
    for each in told:
        if isinstance(each, Ended):
            raise each.error
        if isinstance(each, Delivery):
            await _write(wire.change_to_proto(each.change), context)


async def _write(message: Any, context: Context) -> None:
    """Raises WatcherTooSlow for a reader that has stopped to read."""
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            await context.write(message)
    except TimeoutError:
        raise WatcherTooSlow("nothing was read for too long; go on behind the last event") from None


def _nothing(subject: Subject) -> Change:
    """The present of somebody who has no orders."""
    return Change(None, RESET, subject.order_id, subject.customer_id, "", "", 0, "", "", 0, clock.now())


def _expired() -> Unauthenticated:
    return Unauthenticated("the token has expired; go on with another one, behind the last event")


def _over() -> Unavailable:
    return Unavailable("this instance stops; go on at another one, behind the last event")
