"""Watching orders: every change once and in order, whatever commits late, and wherever a watcher has left off."""

import asyncio
from functools import partial
from typing import Any

import grpc
import pytest

from chassis import ids
from chassis.database import run_sql
from order_service.live.feed import outlets
from order_service.live.queries import PAGE
from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import Counter, reason_of, refusal_of, serve
from tests.services.order_service.ears import Ear
from tests.services.order_service.refunding import a_paid_order, a_refund, refund_of, succeeded
from tests.services.order_service.saga_facts import captured, declined, rejected, released, reserved, unknown
from tests.services.order_service.shop import Shop
from tests.waiting import until

LIFE = ["OrderPlaced", "OrderReserved", "OrderPaymentStarted", "OrderCompleted"]


def live_through(shop: Shop, customer: str = "c-17") -> str:
    """An order from its placing to its completion."""
    order_id = shop.place(customer=customer)
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    return order_id


def test_a_customer_hears_the_whole_life_of_an_order_and_strangers_nothing(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        mine, theirs = await Ear.of(counter, customer_id="c-17"), await Ear.of(counter, customer_id="c-18")
        order_id = await counter.aside(live_through, shop)

        events = await mine.until(*LIFE)
        other = await counter.aside(live_through, shop, "c-18")
        await theirs.until(*LIFE)

        assert {event.order_id for event in events} == {order_id}
        assert [event.version for event in events] == [1, 2, 3, 4]
        last = events[-1]
        assert (last.customer_id, last.total_amount, last.currency, last.reason) == ("c-17", "5.10", "GBP", "Paid.")
        assert (last.status, last.payment_status) == (pb.ORDER_STATUS_COMPLETED, pb.PAYMENT_STATUS_PAID)
        assert last.at.seconds > 0
        assert {event.order_id for event in theirs.heard} == {other}

    serve(shop, scenario)


def test_an_order_is_watched_alone(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id, other = shop.place(), shop.place()
        ear = await Ear.of(counter, order_id=order_id.upper())

        await counter.aside(shop.hear, reserved(other), reserved(order_id), declined(order_id))
        await counter.aside(shop.hear, released(order_id))

        events = await ear.until("OrderReserved", "OrderPaymentStarted", "OrderCompensating", "OrderFailed")
        assert {event.order_id for event in events} == {order_id}

    serve(shop, scenario)


def test_whatever_can_become_of_an_order_has_its_name(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(shop.place)

        await counter.aside(shop.hear, reserved(order_id), unknown(order_id))
        await ear.until("OrderPlaced", "OrderReserved", "OrderPaymentStarted", "OrderAttention")
        await counter.aside(shop.cancel, order_id)
        refused = await counter.aside(shop.place)
        await counter.aside(shop.hear, rejected(refused))

        await ear.until("OrderCancelling", "OrderPlaced", "OrderFailed")

    serve(shop, scenario)


def test_a_refund_is_told_when_the_money_is_back_and_not_when_somebody_says_so(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        order_id = await counter.aside(a_paid_order, shop)
        ear = await Ear.of(counter, order_id=order_id)

        asked = a_refund(order_id, amount_minor=100, reason="1.00 GBP was given back.")
        [result] = await counter.aside(shop.refund, asked)
        await ear.until("OrderAttention")
        await counter.aside(shop.hear, succeeded(order_id, refund_of(result), 100))

        refunded = (await ear.until("OrderAttention", "OrderRefunded"))[-1]
        assert refunded.payment_status == pb.PAYMENT_STATUS_PARTIALLY_REFUNDED
        assert (refunded.status, refunded.reason) == (pb.ORDER_STATUS_COMPLETED, "1.00 GBP was given back.")

    serve(shop, scenario)


def test_who_begins_now_hears_nothing_of_what_has_been(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        await counter.aside(live_through, shop)
        early = await Ear.of(counter, customer_id="c-17")
        await counter.aside(live_through, shop)
        await early.until(*LIFE)

        late = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(shop.place)
        await late.until("OrderPlaced")

        assert [event.order_id for event in late.heard] == [order_id]

    serve(shop, scenario)


def test_who_comes_back_gets_what_was_missed_and_nothing_twice_also_at_another_instance(
    shop: Shop, other: Shop
) -> None:
    async def first(counter: Counter) -> list[str]:
        ear = await Ear.of(counter, customer_id="c-17")
        await counter.aside(live_through, shop)
        await ear.until(*LIFE)
        ear.close()
        return ear.ids

    heard: list[str] = []

    async def before(counter: Counter) -> None:
        heard.extend(await first(counter))

    serve(shop, before)
    missed = [live_through(shop), live_through(shop)]

    async def after(counter: Counter) -> None:
        for place, last in enumerate(heard):
            ear = await Ear.of(counter, last, customer_id="c-17")
            await ear.until(*LIFE)
            await ear.hears(partial(_has_heard, ear, len(heard) - place - 1 + 8))
            assert ear.ids[: len(heard) - place - 1] == heard[place + 1 :]
            assert {event.order_id for event in ear.heard[-8:]} == {*missed}
            assert len({*ear.ids}) == len(ear.ids)

    serve(other, after)


def test_who_heard_nothing_yet_goes_on_from_where_it_began(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        position = await ear.position()
        ear.close()
        order_id = await counter.aside(live_through, shop)

        again = await Ear.of(counter, position, customer_id="c-17")
        await again.until(*LIFE)

        assert {event.order_id for event in again.heard} == {order_id}

    serve(shop, scenario)


def test_a_transaction_that_commits_late_under_an_early_number_is_not_skipped(shop: Shop) -> None:
    """The interleaving that `id > last` loses: 1 begins, 2 begins and commits, it is read, then 1 commits."""

    async def scenario(counter: Counter) -> None:
        slow, quick = shop.place(), shop.place()
        ear = await Ear.of(counter, customer_id="c-17")
        with shop.database.begin() as connection:
            step = (
                "INSERT INTO timeline (order_id, version, from_status, to_status, actor, reason, at)"
                " VALUES (CAST(:id AS uuid), 2, 'PENDING', 'PENDING', 'tests', 'Late.', now())"
            )
            run_sql(connection, step, id=slow)
            await counter.aside(shop.hear, reserved(quick))
            await counter.comes_true(lambda: shop.status(quick) == "RESERVED")
            # It is committed, and held back: a position behind it would lose the other.
            await _several_looks(counter)
            assert ear.types == []
        await ear.until("OrderAttention", "OrderReserved")

        again = await Ear.of(counter, ear.ids[0], customer_id="c-17")
        await again.until("OrderReserved")
        assert again.ids == ear.ids[1:]

    serve(shop, scenario)


async def _several_looks(counter: Counter) -> None:
    """The tail has read a few more times."""
    looks = asyncio.Semaphore(0)
    counter.live.between = looks.release
    async with asyncio.timeout(15):
        for _ in range(3):
            await looks.acquire()
    counter.live.between = lambda: None


def test_what_happens_between_joining_and_reading_the_past_is_told_once(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(shop.place)
        await ear.until("OrderPlaced")
        await counter.aside(shop.hear, reserved(order_id))
        await ear.until("OrderPlaced", "OrderReserved")

        # It has joined, and asks for its past: now something happens, and the tail tells of it first.
        def meanwhile() -> None:
            shop.hear(captured(order_id))

        with shop.before_statement("CROSS JOIN LATERAL", meanwhile):
            again = await Ear.of(counter, ear.ids[0], customer_id="c-17")
            await again.until("OrderReserved", "OrderPaymentStarted", "OrderCompleted")

        await ear.until(*LIFE)
        assert again.ids == ear.ids[1:]

    serve(shop, scenario)


def test_more_than_is_held_while_the_past_is_read_becomes_past_as_well(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "HELD", 2)

    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        await counter.aside(live_through, shop)
        await ear.until(*LIFE)

        def meanwhile() -> None:
            live_through(shop)
            # The first watcher has been told, so the second one's share was to be held by now.
            assert until(lambda: len(ear.heard) == 8)

        with shop.before_statement("CROSS JOIN LATERAL", meanwhile):
            again = await Ear.of(counter, ear.ids[0], customer_id="c-17")
            await again.until(*LIFE)

        assert again.ids == ear.ids[1:]

    serve(shop, scenario)


def _has_heard(ear: Ear, events: int) -> bool:
    return len(ear.heard) == events


@pytest.mark.parametrize(
    "wrong", ["nonsense", "17-3", "999999999999", "1-0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11-x", "é", "0" * 5000]
)
def test_an_id_of_nobody_begins_with_the_present(shop: Shop, wrong: str) -> None:
    async def scenario(counter: Counter) -> None:
        first, second = shop.place(), live_through(shop)
        shop.place(customer="c-18")

        ear = await Ear.of(counter, wrong, customer_id="c-17")
        await ear.until("reset", "reset")
        third = await counter.aside(shop.place)
        await ear.until("reset", "reset", "OrderPlaced")

        assert [event.order_id for event in ear.heard] == [first, second, third]
        assert [pb.OrderStatus.Name(event.status)[13:] for event in ear.heard] == ["PENDING", "COMPLETED", "PENDING"]
        assert [bool(event.id) for event in ear.heard] == [False, True, True], "only the last one is to go on from"
        again = await Ear.of(counter, ear.ids[1], customer_id="c-17")
        await again.until("OrderPlaced")
        assert again.ids == ear.ids[2:]

    serve(shop, scenario)


def test_a_customer_without_orders_is_reset_to_nothing(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, "nonsense", customer_id="nobody")
        [event] = await ear.until("reset")
        assert (event.order_id, event.customer_id, event.status) == ("", "nobody", 0)

    serve(shop, scenario)


def test_what_is_older_than_a_week_is_not_served_again(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(live_through, shop)
        await ear.until(*LIFE)
        shop.run("UPDATE timeline SET at = at - interval '8 days', transaction_id = transaction_id")

        late = await Ear.of(counter, ear.ids[0], order_id=order_id)
        await late.until("reset")
        timely = await Ear.of(counter, ear.ids[-1], order_id=order_id)
        await counter.aside(partial(shop.run, _NOTE, id=order_id))
        await timely.until("OrderAttention")

        assert timely.types == ["OrderAttention"], "an old id behind which nothing was missed is as good as any"

    serve(shop, scenario)


_NOTE = (
    "INSERT INTO timeline (order_id, version, from_status, to_status, actor, reason, at)"
    " VALUES (CAST(:id AS uuid), 5, 'COMPLETED', 'COMPLETED', 'tests', 'A note.', now())"
)
_MANY = (
    "INSERT INTO timeline (order_id, version, from_status, to_status, actor, reason, at)"
    " SELECT CAST(:id AS uuid), 1 + n, 'PENDING', 'PENDING', 'tests', 'A note.', now()"
    " FROM generate_series(1, :many) AS n"
)


def test_a_long_past_comes_in_pages_and_whole(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        position = await ear.position()
        order_id = await counter.aside(shop.place)
        await counter.aside(partial(shop.run, _MANY, id=order_id, many=PAGE + 20))
        await ear.hears(lambda: len(ear.heard) == PAGE + 21)

        again = await Ear.of(counter, position, customer_id="c-17")
        await again.hears(lambda: len(again.heard) == PAGE + 21)
        assert again.ids == ear.ids

    serve(shop, scenario)


def test_nobody_watches_a_subject_that_is_none(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        for request, reason in [
            (pb.WatchOrdersRequest(), "validation_error"),
            (pb.WatchOrdersRequest(customer_id="  "), "validation_error"),
            (pb.WatchOrdersRequest(order_id=ids.new_id(), customer_id="c-17"), "validation_error"),
            (pb.WatchOrdersRequest(order_id="x"), "validation_error"),
            (pb.WatchOrdersRequest(order_id=ids.new_id()), "not_found"),
        ]:
            assert reason_of(await refusal_of(_first(counter.orders.WatchOrders(request)))) == reason

    serve(shop, scenario)


async def _first(call: Any) -> Any:
    return await anext(aiter(call))


def test_when_the_service_stops_its_streams_end_so_that_watchers_go_on_elsewhere(shop: Shop, other: Shop) -> None:
    heard: list[str] = []

    async def stopping(counter: Counter) -> None:
        ear = await Ear.of(counter, customer_id="c-17")
        order_id = await counter.aside(shop.place)
        await ear.until("OrderPlaced")
        counter.live.stopping.set()
        over = await ear.until_over()
        assert over.code() is grpc.StatusCode.UNAVAILABLE
        heard.extend([order_id, *ear.ids])
        refused = await refusal_of(_first(counter.orders.WatchOrders(pb.WatchOrdersRequest(customer_id="c-17"))))
        assert reason_of(refused) == "unavailable"

    async def elsewhere(counter: Counter) -> None:
        ear = await Ear.of(counter, heard[1], customer_id="c-17")
        await counter.aside(shop.hear, reserved(heard[0]))
        await ear.until("OrderReserved")
        assert ear.types == ["OrderReserved"]

    serve(shop, stopping)
    serve(other, elsewhere)
