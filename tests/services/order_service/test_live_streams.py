"""Many watches on one stream, slow readers, and a tail that rests while nobody watches."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
import pytest
from psycopg.errors import QueryCanceled

from chassis import clock
from chassis.access.caller import Caller, Role, current
from chassis.errors import Overloaded, Unauthenticated
from order_service.live import servicer
from order_service.live.domain import Subject
from order_service.live.feed import Outlet, Tail, Watch
from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import Counter, serve
from tests.services.order_service.ears import Ear
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import Shop


class Shared:
    """A gateway's end of a stream with many watches."""

    def __init__(self, counter: Counter) -> None:
        self._asked: asyncio.Queue[pb.BatchWatchOrdersRequest | None] = asyncio.Queue()
        self.call = counter.orders.BatchWatchOrders(self._requests())
        self.joined: dict[int, list[pb.JoinedWatch]] = {}
        self.events: dict[int, list[pb.OrderEvent]] = {}
        self.ended: dict[int, str] = {}
        self.positions: list[str] = []
        self.over: grpc.aio.AioRpcError | None = None
        self.is_done = False
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    def add(self, watch_id: int, last_event_id: str = "", authorization: str = "", **subject: str) -> None:
        request = pb.WatchOrdersRequest(last_event_id=last_event_id, **subject)
        self._asked.put_nowait(
            pb.BatchWatchOrdersRequest(
                added=[pb.AddedWatch(watch_id=watch_id, request=request, authorization=authorization)]
            )
        )

    def remove(self, *watch_ids: int) -> None:
        self._asked.put_nowait(pb.BatchWatchOrdersRequest(removed=watch_ids))

    def finish(self) -> None:
        self._asked.put_nowait(None)

    def types(self, watch_id: int) -> list[str]:
        return [event.type for event in self.events.get(watch_id, [])]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _requests(self) -> AsyncIterator[pb.BatchWatchOrdersRequest]:
        while (request := await self._asked.get()) is not None:
            yield request

    async def _listen(self) -> None:
        try:
            async for message in self.call:
                self._note(message)
                self._changed.set()
        except grpc.aio.AioRpcError as error:
            self.over = error
        self.is_done = True
        self._changed.set()

    def _note(self, message: pb.BatchWatchOrdersResponse) -> None:
        for joined in message.joined:
            self.joined.setdefault(joined.watch_id, []).append(joined)
        for delivery in message.deliveries:
            for watch_id in delivery.watch_ids:
                self.events.setdefault(watch_id, []).append(delivery.event)
        for ended in message.ended:
            self.ended[ended.watch_id] = ended.error.message
        if message.position:
            self.positions.append(message.position)


def test_many_watches_share_a_stream_each_on_its_own_account(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        shared = Shared(counter)
        known = await counter.aside(partial(shop.place, customer="c-1"))
        shared.add(1, customer_id="c-1")
        shared.add(2, customer_id="c-2")
        shared.add(3, order_id=known)
        shared.add(4, order_id="0190b6b2-0000-7000-8000-000000000009")
        shared.add(5)
        await shared.until(lambda: {1, 2, 3} <= shared.joined.keys() and {4, 5} <= shared.ended.keys())

        await counter.aside(shop.hear, reserved(known))
        other = await counter.aside(partial(shop.place, customer="c-2"))
        await shared.until(lambda: shared.events.keys() == {1, 2, 3})

        assert (shared.types(1), shared.types(3)) == (["OrderReserved"], ["OrderReserved"])
        assert [event.order_id for event in shared.events[2]] == [other]
        assert "there is no order" in shared.ended[4]

        shared.remove(1, 77)
        await counter.comes_true(lambda: counter.live.tail.watching == 2)
        await counter.aside(shop.hear, captured(known))
        await shared.until(lambda: len(shared.types(3)) == 3)
        assert shared.types(1) == ["OrderReserved"]

        shared.finish()
        await counter.comes_true(lambda: counter.live.tail.watching == 0)

    serve(shop, scenario)


def test_a_watch_on_a_shared_stream_goes_on_where_it_was_left(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-1")
        order_id = await counter.aside(partial(shop.place, customer="c-1"))
        await counter.aside(shop.hear, reserved(order_id), captured(order_id))
        await ear.until("OrderReserved", "OrderPaymentStarted", "OrderCompleted")

        shared = Shared(counter)
        shared.add(1, ear.ids[1], customer_id="c-1")
        await shared.until(lambda: len(shared.joined.get(1, [])) == 2)

        assert [event.id for event in shared.events[1]] == ear.ids[2:]
        assert [joined.is_caught_up for joined in shared.joined[1]] == [False, True]
        assert shared.joined[1][0].position == ear.ids[1]

    serve(shop, scenario)


def test_a_shared_stream_says_how_far_everybody_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicer, "BEAT_SECONDS", 0.1)

    async def scenario(counter: Counter) -> None:
        shared = Shared(counter)
        shared.add(1, customer_id="c-1")
        await counter.aside(partial(shop.place, customer="c-2"))
        await shared.until(lambda: len(shared.positions) > 2)

        order_id = await counter.aside(partial(shop.place, customer="c-1"))
        await shared.until(lambda: shared.types(1) == ["OrderPlaced"])
        again = await Ear.of(counter, shared.positions[1], customer_id="c-1")
        await again.until("OrderPlaced")
        assert [event.order_id for event in again.heard] == [order_id]

    serve(shop, scenario)


def test_a_customer_watches_nobody_else(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        mine = await counter.aside(partial(shop.place, customer="anna"))
        theirs = await counter.aside(partial(shop.place, customer="ben"))
        current.set(Caller(Role.CUSTOMER, "a", "anna"))
        live = counter.live.servicer
        for request, refusal in [
            (pb.WatchOrdersRequest(order_id=theirs), "there is no order"),
            (pb.WatchOrdersRequest(customer_id="ben"), "only their own"),
        ]:
            with pytest.raises(Exception, match=refusal):
                await live.admitted(request, current.get())
        assert await live.admitted(pb.WatchOrdersRequest(order_id=mine), current.get()) == Subject(mine)

    serve(shop, scenario)


def test_each_watch_of_a_stream_is_its_own_callers_and_ends_with_the_token(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "BEAT_SECONDS", 0.1)

    async def scenario(counter: Counter) -> None:
        now = clock.unix_ms() / 1000
        counter.live.door.known = {
            "anna": Caller(Role.CUSTOMER, "a", "anna", now + 60),
            "late": Caller(Role.CUSTOMER, "b", "anna", now - servicer.SKEW_SECONDS - 1),
            "liar": Unauthenticated("the token cannot be read"),
        }
        shared = Shared(counter)
        shared.add(1, "", "anna", customer_id="anna")
        shared.add(2, "", "anna", customer_id="ben")
        shared.add(3, "", "late", customer_id="anna")
        shared.add(4, "", "liar", customer_id="anna")
        await shared.until(lambda: shared.ended.keys() == {2, 3, 4})

        assert "only their own" in shared.ended[2]
        assert "expired" in shared.ended[3]
        assert "cannot be read" in shared.ended[4]
        await counter.aside(partial(shop.place, customer="anna"))
        await shared.until(lambda: shared.types(1) == ["OrderPlaced"])
        assert counter.live.tail.watching == 1

    serve(shop, scenario)


class Taking:
    """A caller's end of a stream that takes whatever comes."""

    async def send_initial_metadata(self, metadata: Any) -> None:
        return

    async def write(self, message: Any) -> None:
        return


def test_a_stream_of_its_own_ends_with_the_token_too(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        soon = clock.unix_ms() / 1000 - servicer.SKEW_SECONDS + 0.3
        current.set(Caller(Role.CUSTOMER, "a", "anna", soon))
        context: Any = Taking()
        with pytest.raises(Unauthenticated):
            await counter.live.servicer.watch(pb.WatchOrdersRequest(customer_id="anna"), context)
        assert counter.live.tail.watching == 0

    serve(shop, scenario)


def test_an_outlet_that_nobody_reads_is_closed_behind_what_it_holds(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        outlet = Outlet(3)
        watch = Watch(1, Subject(customer_id="c-17"), outlet)
        await counter.live.tail.join(watch)
        watch.flow()
        for _ in range(5):
            await counter.aside(shop.place)
        reader = await Ear.of(counter, customer_id="c-17")
        await counter.aside(shop.place)
        await reader.until("OrderPlaced")

        assert len(await outlet.take(10)) == 3
        with pytest.raises(Exception, match="go on behind the last event"):
            await outlet.take(10)
        counter.live.tail.leave(watch)

    serve(shop, scenario)


def test_a_reader_of_grpc_that_does_not_read_is_cut_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicer, "STUCK_SECONDS", 0.5)

    async def scenario(counter: Counter) -> None:
        order_id = await counter.aside(shop.place)
        deaf = counter.orders.WatchOrders(pb.WatchOrdersRequest(customer_id="c-17"))
        await deaf.initial_metadata()
        await counter.aside(partial(shop.run, _LONG, id=order_id))
        await counter.comes_true(lambda: counter.live.tail.watching == 0)

        ear = Ear(deaf)
        assert (await ear.until_over()).code() is grpc.StatusCode.ABORTED
        again = await Ear.of(counter, ear.ids[-1], customer_id="c-17")
        await again.hears(lambda: len(ear.heard) + len(again.heard) == 100)
        assert [event.version for event in [*ear.heard, *again.heard]] == list(range(2, 102))

    serve(shop, scenario)


_LONG = (
    "INSERT INTO timeline (order_id, version, from_status, to_status, actor, reason, at)"
    " SELECT CAST(:id AS uuid), 1 + n, 'PENDING', 'PENDING', 'tests', repeat('x', 100000), now()"
    " FROM generate_series(1, 100) AS n"
)


def test_there_is_a_bound_to_those_who_watch(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        tail = Tail(shop.database, asyncio.get_running_loop(), most=2)
        watches = [Watch(n, Subject(customer_id="c-17"), Outlet(10)) for n in range(3)]
        await asyncio.gather(*(tail.join(watch) for watch in watches[:2]))
        with pytest.raises(Overloaded):
            await tail.join(watches[2])
        tail.leave(watches[2])
        tail.leave(watches[0])
        await tail.join(watches[2])
        for watch in watches:
            tail.leave(watch)
        assert tail.watching == 0

    serve(shop, scenario)


def test_nothing_is_read_while_nobody_watches(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        reads: list[int] = []
        counter.live.between = lambda: reads.append(1)
        ear = await Ear.of(counter, customer_id="c-17")
        ear.close()
        await counter.comes_true(lambda: counter.live.tail.watching == 0)
        await counter.comes_true(lambda: counter.live.tail.position is None)
        rested = len(reads)
        await counter.aside(shop.place)
        counter.live.tail.look()
        again = await Ear.of(counter, customer_id="c-17")

        assert len(reads) == rested + 1, "the one read with which the new watch begins"
        again.close()

    serve(shop, scenario)


def test_watches_survive_a_postgres_that_goes_away(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = current_user AND pid <> pg_backend_pid()"
        )
        await counter.aside(shop.rows, kill)
        order_id = await counter.aside(shop.place)
        await ear.until("OrderPlaced")
        assert [event.order_id for event in ear.heard] == [order_id]

    serve(shop, scenario)


def test_when_the_reader_of_the_news_breaks_all_begin_again_behind_what_they_have(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(shop.place)
        await ear.until("OrderPlaced")

        def cancelled_by_its_time() -> None:
            raise QueryCanceled("canceling statement due to statement timeout")

        with shop.before_statement("is_more_coming", cancelled_by_its_time):
            assert (await ear.until_over()).code() is grpc.StatusCode.UNAVAILABLE
        await counter.aside(shop.hear, reserved(order_id))

        again = await Ear.of(counter, ear.ids[-1], customer_id="c-17")
        await again.until("OrderReserved")
        assert again.types == ["OrderReserved"]
        assert counter.live.tail.watching == 1

    serve(shop, scenario)


def test_a_stream_with_many_watches_ends_when_its_reader_wants_no_more(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        shared = Shared(counter)
        shared.add(1, customer_id="c-17")
        await shared.until(lambda: 1 in shared.joined)
        shared.finish()
        await shared.until(lambda: shared.is_done)

        assert shared.over is None
        assert shared.positions == [], "nobody is sent back to the beginning"

    serve(shop, scenario)
