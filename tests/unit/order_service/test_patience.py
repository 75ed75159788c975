"""How long an order may stay where it stands, what is sent again then, and why it is said to be stuck."""

from datetime import timedelta
from typing import Any

import pytest

from order_service.domain import (
    PATIENCE,
    UNFINISHED,
    Order,
    OrderPlaced,
    PaymentStatus,
    Status,
    Stuck,
    Wait,
    due_at,
    open_requests,
)
from tests.unit.order_service.examples import NOON, ORDER_ID, an_order

PLACED = OrderPlaced([("A", 2)], "REJECT", NOON)


def _sent(order: Order) -> list[str]:
    return [type(fact).__name__ for fact in open_requests(order, PLACED)]


def _wait(status: Status, **changes: Any) -> Wait:
    return Wait(ORDER_ID, status, NOON, None, None, NOON)._replace(**changes)


def test_every_status_in_which_an_order_waits_has_its_patience() -> None:
    assert PATIENCE.keys() == UNFINISHED
    assert all(0 < each.first_pause <= each.longest_pause for each in PATIENCE.values())


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_patience_ends_when_nothing_was_heard_for_as_long_as_the_table_allows(status: Status) -> None:
    assert _wait(status).due_at == NOON + timedelta(seconds=PATIENCE[status].allowed)


def test_who_has_named_the_time_of_the_next_try_is_not_hurried_before_it() -> None:
    tomorrow = NOON + timedelta(days=1)
    assert _wait(Status.PAYMENT_PROCESSING, next_try_at=tomorrow).due_at == tomorrow + timedelta(seconds=60)


def test_a_reserved_order_is_looked_at_when_its_reservation_ends_if_that_is_sooner() -> None:
    soon = NOON + timedelta(seconds=5)
    wait = _wait(Status.RESERVED, reserved_until=soon)
    assert (wait.due_at, wait.is_overdue(NOON), wait.is_overdue(soon)) == (soon, False, True)
    assert not _wait(Status.PAYMENT_PROCESSING, reserved_until=soon).is_overdue(soon)
    assert due_at(an_order(Status.RESERVED, reserved_until=soon, at=NOON)) == soon


@pytest.mark.parametrize(
    ("status", "changes", "sent"),
    [
        (Status.PENDING, {}, ["OrderPlaced"]),
        (Status.AWAITING_RESTOCK, {}, ["OrderPlaced"]),
        (Status.RESERVED, {}, ["PaymentRequested"]),
        (Status.PAYMENT_PROCESSING, {}, ["PaymentRequested"]),
        (Status.COMPENSATING, {}, ["OrderCompensating"]),
        (Status.CANCELLING, {}, ["OrderCancelling", "PaymentGiveUpRequested"]),
        (Status.CANCELLING, {"is_stock_released": True}, ["PaymentGiveUpRequested"]),
        (Status.CANCELLING, {"payment_status": PaymentStatus.UNKNOWN}, ["OrderCancelling", "PaymentVoidRequested"]),
        (Status.COMPENSATING, {"payment_status": PaymentStatus.PAID}, ["OrderCompensating", "PaymentVoidRequested"]),
        (Status.COMPLETED, {}, []),
    ],
)
def test_what_an_order_waits_for_an_answer_to_is_sent_again(
    status: Status, changes: dict[str, Any], sent: list[str]
) -> None:
    assert _sent(an_order(status, **changes)) == sent


def _stuck(status: Status, **changes: Any) -> Stuck:
    usual = Stuck(ORDER_ID, "c-17", status, PaymentStatus.PENDING, None, NOON, False, 1, None, None)
    return usual._replace(**changes)


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_a_stuck_order_says_why_in_a_sentence(status: Status) -> None:
    assert _stuck(status).reason.endswith(".")


def test_the_nearest_reason_is_the_one_that_is_told() -> None:
    stuck = _stuck(Status.PAYMENT_PROCESSING, attention="payment_operator")
    assert stuck.reason == "Its payment waits for somebody to settle it by hand."
    assert stuck._replace(letter="poison").reason == "A fact about it could not be applied: poison"
    undoing = _stuck(Status.CANCELLING)
    assert undoing.reason == "Inventory has not said that its stock was given back."
    assert undoing._replace(is_stock_released=True).reason.startswith("Payments")
