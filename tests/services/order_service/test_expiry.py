"""Expiry on a real Postgres: time only asks, payments answers, and the order ends when everything is undone."""

from collections.abc import Callable

import pytest

from order_service.jobs import Patrol
from protos.payments.events.v1 import events_pb2 as payments
from tests.services.order_service.saga_facts import captured, closed, released, reserved, started
from tests.services.order_service.shop import TRACE, Shop


@pytest.fixture
def expire(shop: Shop) -> Callable[[], None]:
    return Patrol(shop.database, lambda: None).look


def _overdue(shop: Shop) -> str:
    order_id = shop.place()
    shop.hear(reserved(order_id, seconds=-1))
    return order_id


def test_an_overdue_order_asks_payments_to_close_the_door_and_stays_as_it_is(
    shop: Shop, expire: Callable[[], None]
) -> None:
    """Released by the clock alone, its stock would be sold twice when the charge is just under way."""
    order_id = _overdue(shop)
    expire()
    assert shop.told(order_id)[-1] == "PaymentGiveUpRequested"
    assert shop.facts(order_id)[-1].reason == payments.GIVE_UP_REASON_EXPIRING
    assert (shop.status(order_id), shop.order(order_id).version) == ("RESERVED", 2)


def test_a_closed_door_lets_the_order_expire_once_its_stock_is_given_back(
    shop: Shop, expire: Callable[[], None]
) -> None:
    order_id = _overdue(shop)
    expire()
    shop.hear(closed(order_id))
    row = shop.order(order_id)
    assert (row.status, row.failure_code, row.payment_status) == ("COMPENSATING", "reservation_expired", "FAILED")
    shop.hear(released(order_id))
    assert shop.status(order_id) == "EXPIRED"
    assert shop.told(order_id)[-2:] == ["OrderCompensating", "OrderExpired"]
    assert shop.unfinished() == set()


def test_an_open_door_ends_the_expiry_and_the_order_goes_on(shop: Shop, expire: Callable[[], None]) -> None:
    order_id = _overdue(shop)
    expire()
    shop.hear(started(order_id))
    shop.run("UPDATE unfinished SET next_ask_at = NULL")
    expire()
    assert shop.told(order_id).count("PaymentGiveUpRequested") == 1
    shop.hear(captured(order_id))
    assert shop.status(order_id) == "COMPLETED"


def test_an_order_in_time_is_left_alone(shop: Shop, expire: Callable[[], None]) -> None:
    order_id, undecided = shop.place(), shop.place()
    shop.hear(reserved(order_id, seconds=600))
    expire()
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested"]
    assert shop.told(undecided) == ["OrderPlaced"]


def test_a_question_without_an_answer_is_asked_again_with_growing_patience(
    shop: Shop, expire: Callable[[], None]
) -> None:
    order_id = _overdue(shop)
    waits = []
    for _ in range(3):
        expire()
        expire()
        [row] = shop.rows("SELECT asks, EXTRACT(epoch FROM next_ask_at - now()) AS seconds FROM unfinished")
        waits.append(round(float(row.seconds)))
        shop.run("UPDATE unfinished SET next_ask_at = now()")
    assert waits == [5, 10, 20]
    assert shop.told(order_id).count("PaymentGiveUpRequested") == 3


def test_a_payment_that_wins_against_the_job_is_not_asked_to_give_up(shop: Shop, other: Shop) -> None:
    """What was read before the lock is read again after it."""
    order_id = _overdue(shop)
    expiry = Patrol(shop.database, lambda: None)
    with shop.before_statement("FOR UPDATE", lambda: other.hear(captured(order_id))):
        expiry.look()
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested", "OrderCompleted"]


def test_a_question_stands_in_the_trace_of_its_order(shop: Shop, expire: Callable[[], None]) -> None:
    order_id = _overdue(shop)
    expire()
    assert shop.traces(order_id)[-1][3:35] == TRACE[3:35]


def test_all_unfinished_orders_come_to_their_turn_piece_by_piece(shop: Shop) -> None:
    """Always the oldest first, a piece full of orders that wait for goods would hide those behind it."""
    expiry = Patrol(shop.database, lambda: None, piece=2)
    waiting = [shop.place() for _ in range(5)]
    order_id = _overdue(shop)
    for _ in range(3):
        expiry.look()
    assert shop.told(order_id)[-1] == "PaymentGiveUpRequested"
    assert all(shop.told(each) == ["OrderPlaced"] for each in waiting)
