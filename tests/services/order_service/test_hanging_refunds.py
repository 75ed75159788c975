"""Refunds that nobody answers on a real Postgres: asked for again with growing patience, and resumed by hand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chassis import clock
from order_service import commands, queries
from order_service.commands import ResumeOrder
from order_service.domain import OrderNotResumable
from order_service.jobs import Patrol
from order_service.tables import Shown
from protos.payments.events.v1.events_pb2 import RefundDelayed
from tests.services.order_service.refunding import a_paid_order, a_refund, refund_of, succeeded
from tests.services.order_service.saga_facts import in_seconds
from tests.services.order_service.shop import TRACE, Shop


@pytest.fixture
def look(shop: Shop) -> Callable[[], None]:
    return Patrol(shop.database, lambda: None).look


def _pass_time(shop: Shop, seconds: int = 61) -> None:
    """Nothing was heard of any refund for so long, and everything that was told is relayed."""
    shop.run("UPDATE refunds SET next_ask_at = next_ask_at - make_interval(secs => :seconds)", seconds=seconds)
    shop.run("UPDATE outbox SET created_at = now()")


def _requests(shop: Shop, order_id: str) -> list[Any]:
    return [fact for fact in shop.facts(order_id) if type(fact).__name__ == "RefundRequested"]


def _asks(shop: Shop) -> list[int]:
    return [row.asks for row in shop.rows("SELECT asks FROM refunds ORDER BY created_at")]


def test_a_refund_without_an_answer_is_asked_for_again_as_a_new_event(shop: Shop, look: Callable[[], None]) -> None:
    """Its order is COMPLETED, and no unfinished one that anybody looks after."""
    order_id = a_paid_order(shop)
    refund_of(shop.refund(a_refund(order_id, amount_minor=200))[0])

    look()
    assert len(_requests(shop, order_id)) == 1, "it is young yet"
    _pass_time(shop)
    look()
    look()

    first, second = _requests(shop, order_id)
    assert first == second, "the same request, as a new event"
    assert _asks(shop) == [1]
    assert shop.order(order_id).version == 5, "nothing has become of it"
    assert shop.database.read(queries.stuck_count) == 1
    [stuck], _ = shop.database.read(lambda connection: queries.stuck_orders(connection, 10, ""))
    assert (stuck.id, stuck.requests_sent) == (order_id, 1)
    assert stuck.reason == "Payments has not said what became of its refund."


def test_it_is_asked_for_later_each_time_and_never_once_it_is_answered(shop: Shop, look: Callable[[], None]) -> None:
    order_id = a_paid_order(shop)
    answered = refund_of(shop.refund(a_refund(order_id, amount_minor=200))[0])
    hanging = refund_of(shop.refund(a_refund(order_id, amount_minor=100))[0])
    shop.hear(succeeded(order_id, answered, 200))

    for seconds, expected in ((61, 1), (4, 1), (2, 2), (9, 2), (2, 3)):
        _pass_time(shop, seconds)
        look()
        assert _asks(shop) == [0, expected]

    assert [fact.refund_id for fact in _requests(shop, order_id)] == [answered, hanging] + [hanging] * 3


def test_payments_is_not_hurried_before_the_time_of_its_next_try(shop: Shop, look: Callable[[], None]) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id))[0])
    _pass_time(shop)
    look()
    shop.hear(
        RefundDelayed(order_id=order_id, refund_id=refund_id, attention="refund_failed", next_try_at=in_seconds(3_600))
    )
    assert _asks(shop) == [0], "its patience begins anew with an answer"

    _pass_time(shop, 3_600)
    look()
    assert len(_requests(shop, order_id)) == 2
    _pass_time(shop)
    look()
    assert len(_requests(shop, order_id)) == 3


def test_an_answer_that_is_quicker_than_the_job_leaves_nothing_to_ask(shop: Shop, other: Shop) -> None:
    """What was read before the lock is read again after it."""
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id))[0])
    _pass_time(shop)
    due = shop.database.read(lambda connection: queries.due_refunds(connection, 10))
    assert due == {refund_id: order_id}

    other.hear(succeeded(order_id, refund_id, 510))

    assert shop.database.write(lambda connection: commands.chase_refunds(connection, [order_id])) == 0
    assert len(_requests(shop, order_id)) == 1


def test_two_instances_of_the_job_at_once_ask_once(shop: Shop, other: Shop) -> None:
    orders = [a_paid_order(shop) for _ in range(5)]
    for order_id in orders:
        refund_of(shop.refund(a_refund(order_id))[0])
    _pass_time(shop)

    with ThreadPoolExecutor() as threads:
        for looking in [threads.submit(Patrol(each.database, lambda: None).look) for each in (shop, other)]:
            looking.result(timeout=20)

    assert [len(_requests(shop, order_id)) for order_id in orders] == [2] * 5


def test_an_operator_has_a_hanging_refund_asked_for_at_once(shop: Shop) -> None:
    order_id, paid = a_paid_order(shop), a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id))[0])
    asked = [ResumeOrder(each, traceparent=TRACE) for each in (order_id, paid)]

    resumed, refused = shop.database.write(lambda connection: commands.resume_orders(connection, asked))

    assert isinstance(resumed, Shown)
    assert isinstance(refused, OrderNotResumable)
    assert [fact.refund_id for fact in _requests(shop, order_id)] == [refund_id] * 2
    [row] = shop.rows("SELECT subject, details FROM audit")
    assert (row.subject, row.details["sent"]) == (order_id, ["RefundRequested"])


def test_what_needs_attention_is_counted_though_its_order_has_ended(shop: Shop) -> None:
    order_id = a_paid_order(shop)
    refund_id = refund_of(shop.refund(a_refund(order_id))[0])
    shop.hear(
        RefundDelayed(order_id=order_id, refund_id=refund_id, attention="refund_failed", next_try_at=in_seconds(60))
    )

    [found] = shop.database.read(queries.attended_orders)

    assert (found.name, found.orders) == ("refund_failed", 1)
    assert clock.now() > shop.order(order_id).updated_at
