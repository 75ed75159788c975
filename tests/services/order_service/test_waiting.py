"""Who waits for a decision: woken by whoever folds the facts, told once, and never in vain."""

import asyncio
import contextlib
from typing import Any

from chassis import clock
from chassis.redis import Feed
from deploy.local import Infrastructure
from order_service.feed import Announcer
from protos.orders.v1 import orders_pb2 as pb
from tests.services.order_service.counter import (
    Counter,
    Result,
    a_request,
    detail_of,
    reason_of,
    refusal_of,
    serve,
    trailers_of,
)
from tests.services.order_service.saga_facts import captured, declined, rejected, released, reserved, short
from tests.services.order_service.shop import Shop

NEVER = 3_600.0
"""Seconds between two looks of a service that shall do without."""


def _final(messages: list[list[Result]]) -> list[Result]:
    return sorted((result for results in messages for result in results if result.final), key=lambda each: each.index)


async def _decide(counter: Counter, shop: Shop, *facts: Any, orders: int = 1) -> None:
    """Facts about every order that is stored, told by this instance of the service."""
    for order_id in await counter.stored(orders):
        for fact in facts:
            await counter.aside(shop.hear, fact(order_id))


def test_who_does_not_wait_is_answered_when_the_order_is_stored(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        call = counter.place(wait_ms=0)
        order = await call
        assert (order.status, order.version) == (pb.ORDER_STATUS_PENDING, 1)
        assert (await trailers_of(call))["outcome"] == "accepted"

    serve(shop, scenario)


def test_who_waits_is_woken_by_the_process_that_folds_the_facts(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        call = counter.place(("A", 2), wait_ms=20_000)
        waiting = asyncio.ensure_future(call)
        await _decide(counter, shop, reserved)
        order = await waiting
        assert (order.status, order.total_amount, order.version) == (pb.ORDER_STATUS_RESERVED, "5.10", 2)
        assert order.HasField("reserved_until")
        assert not {"outcome", "idempotent-replayed"} & set(await trailers_of(call))

    serve(shop, scenario, look_seconds=NEVER)


def test_who_waits_learns_by_looking_what_another_process_has_folded(shop: Shop, other: Shop) -> None:
    """Without Redis nobody says anything; a lost word costs a tenth of a second, not the wait."""

    async def scenario(counter: Counter) -> None:
        waiting = asyncio.ensure_future(counter.place(wait_ms=20_000))
        await _decide(counter, other, reserved)
        decided_at = clock.monotonic()
        assert (await waiting).status == pb.ORDER_STATUS_RESERVED
        assert clock.monotonic() - decided_at < 5

    serve(shop, scenario)


def test_who_waits_is_woken_by_the_feed_when_another_process_has_folded(shop: Shop, other: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        waiting = asyncio.ensure_future(counter.place(wait_ms=20_000))
        await _decide(counter, other, reserved)
        counter.waiters.look()
        assert (await waiting).status == pb.ORDER_STATUS_RESERVED

    serve(shop, scenario, look_seconds=NEVER)


def test_a_decision_that_comes_before_the_answer_of_placing_is_not_missed(shop: Shop) -> None:
    """A waiter that registered after it had placed would miss it, and wait in vain."""

    async def scenario(counter: Counter) -> None:
        def decide() -> None:
            [row] = shop.rows("SELECT id FROM orders")
            shop.hear(reserved(row.id))

        counter.between_commit_and_answer = decide
        order = await counter.place(wait_ms=20_000)
        assert order.status == pb.ORDER_STATUS_RESERVED

    serve(shop, scenario, look_seconds=NEVER)


def test_an_undecided_order_is_answered_when_the_wait_is_over(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        call = counter.place(wait_ms=50)
        assert (await call).status == pb.ORDER_STATUS_PENDING
        assert (await trailers_of(call))["outcome"] == "accepted"

    serve(shop, scenario)


def test_a_lack_of_stock_is_a_refusal_with_what_is_short_and_a_replay_is_told_the_same(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(("A", 5), wait_ms=20_000)
        call = counter.orders.CreateOrder(request)
        waiting = asyncio.ensure_future(refusal_of(call))
        await _decide(counter, shop, rejected)
        again = counter.orders.CreateOrder(request)
        first, second = await waiting, await refusal_of(again)
        assert first == second
        assert reason_of(first) == "insufficient_stock"
        [order_id] = await counter.stored()
        assert detail_of(first, pb.InsufficientStock) == pb.InsufficientStock(
            order_id=order_id, shortages=[pb.Shortage(sku="A", requested=5, available=2)]
        )
        assert "idempotent-replayed" not in await trailers_of(call)
        assert (await trailers_of(again))["idempotent-replayed"] == "true"

    serve(shop, scenario)


def test_awaiting_restock_ends_the_wait_and_is_accepted(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        call = counter.place(("A", 5), wait_ms=20_000, stock_policy=pb.STOCK_POLICY_BACKORDER)
        waiting = asyncio.ensure_future(call)
        await _decide(counter, shop, short)
        order = await waiting
        assert (order.status, order.attention) == (pb.ORDER_STATUS_AWAITING_RESTOCK, "supplier_wait")
        assert (await trailers_of(call))["outcome"] == "accepted"

    serve(shop, scenario)


def test_a_replay_waits_like_the_first_and_is_told_the_same(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(wait_ms=20_000)
        calls = [counter.orders.CreateOrder(request) for _ in range(5)]
        waiting = [asyncio.ensure_future(call) for call in calls]
        await _decide(counter, shop, reserved)
        orders = await asyncio.gather(*waiting)
        assert {(order.id, order.status) for order in orders} == {(orders[0].id, pb.ORDER_STATUS_RESERVED)}
        trailers = [await trailers_of(call) for call in calls]
        assert sum("idempotent-replayed" in each for each in trailers) == 4
        assert not any("outcome" in each for each in trailers)

    serve(shop, scenario)


def test_whatever_has_become_of_an_order_that_was_held_is_told_with_the_order(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(wait_ms=0)
        await counter.orders.CreateOrder(request)
        await _decide(counter, shop, reserved, declined, released)
        [[result]] = await counter.batch(request)
        assert (result.order.status, result.held, result.replayed) == (pb.ORDER_STATUS_FAILED, True, True)
        assert result.order.failure_code == "payment_declined"

    serve(shop, scenario)


def test_a_replay_of_a_decided_order_does_not_wait(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(wait_ms=20_000)
        first = asyncio.ensure_future(counter.orders.CreateOrder(request))
        await _decide(counter, shop, reserved, captured)
        await first
        [[result]] = await counter.batch(request)
        assert (result.final, result.held, result.order.status) == (True, True, pb.ORDER_STATUS_COMPLETED)

    serve(shop, scenario, look_seconds=NEVER)


def test_each_entry_of_a_batch_is_stored_first_and_then_decided_on_its_own(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        batch = asyncio.ensure_future(
            counter.batch(a_request(wait_ms=0), a_request(wait_ms=20_000), a_request(wait_ms=50), a_request(("A", 0)))
        )
        orders = await counter.stored(3)
        waited = shop.rows("SELECT id FROM orders ORDER BY id OFFSET 1 LIMIT 1")[0].id
        assert waited in orders
        await counter.aside(shop.hear, reserved(waited))
        messages = await batch
        first_heard = {result.index: result for results in reversed(messages) for result in reversed(results)}
        assert [first_heard[index].final for index in range(4)] == [True, False, False, True]
        final = _final(messages)
        assert [result.index for result in final] == [0, 1, 2, 3], "once each"
        assert [result.held for result in final] == [False, True, False, False]
        assert final[3].WhichOneof("outcome") == "error"

    serve(shop, scenario)


def test_a_wait_is_no_longer_than_the_callers_patience(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        messages = await counter.batch(a_request(wait_ms=30_000), deadline_ms=200)
        assert [result.order.status for result in _final(messages)] == [pb.ORDER_STATUS_PENDING]

    serve(shop, scenario)


def test_who_has_a_deadline_is_answered_before_it_is_over(shop: Shop) -> None:
    """Told at the very end, the client would hear of a deadline instead of its order."""

    async def scenario(counter: Counter) -> None:
        order = await counter.orders.CreateOrder(a_request(wait_ms=30_000), timeout=1.0)
        assert order.status == pb.ORDER_STATUS_PENDING

    serve(shop, scenario)


def test_equal_requests_of_one_batch_are_all_told(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(wait_ms=20_000)
        batch = asyncio.ensure_future(counter.batch(request, request, request))
        await _decide(counter, shop, reserved)
        final = _final(await batch)
        assert [(result.held, result.replayed) for result in final] == [(True, False), (True, True), (True, True)]

    serve(shop, scenario, look_seconds=NEVER)


def test_a_client_that_goes_away_cancels_nobody(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        call = counter.place(wait_ms=20_000)
        waiting = asyncio.ensure_future(call)
        [order_id] = await counter.stored()
        waiting.cancel()
        await asyncio.wait([waiting])
        await counter.comes_true(lambda: counter.waiters.waiting == 0)
        await counter.aside(shop.hear, reserved(order_id))
        assert shop.status(order_id) == "RESERVED"

    serve(shop, scenario)


def test_more_waiters_than_can_be_borne_are_refused_at_once_and_nothing_is_stored(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        final = _final(await counter.batch(*(a_request(wait_ms=300) for _ in range(3)), a_request(wait_ms=0)))
        assert [result.WhichOneof("outcome") for result in final] == ["order", "order", "error", "order"]
        assert reason_of(final[2].error) == "unavailable"
        assert len(await counter.stored(3)) == 3

    serve(shop, scenario, most=2)


def test_nobody_is_left_behind_when_the_wait_is_over(shop: Shop) -> None:
    async def scenario(counter: Counter) -> None:
        request = a_request(wait_ms=100)
        await asyncio.gather(*(counter.batch(request, a_request(wait_ms=30), request) for _ in range(4)))
        assert counter.waiters.waiting == 0

    serve(shop, scenario)


def test_processes_say_look_to_each_other_and_not_to_themselves(infrastructure: Infrastructure) -> None:
    async def scenario() -> None:
        heard: dict[str, asyncio.Event] = {"here": asyncio.Event(), "there": asyncio.Event()}
        feeds = [Feed(infrastructure.redis_url) for _ in heard]
        here, there = (Announcer(feed, heard[name].set) for feed, name in zip(feeds, heard, strict=True))
        await here.start()
        await there.start()
        while not heard["there"].is_set():
            await asyncio.to_thread(here.announce)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard["there"].wait(), 0.05)
        await here.stop()
        await there.stop()
        assert not heard["here"].is_set()
        for feed in feeds:
            feed.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_facts_are_folded_all_the_same_when_redis_is_away() -> None:
    announcer = Announcer(Feed("redis://127.0.0.1:1/0"), lambda: None)
    announcer.announce()
    announcer.announce()
