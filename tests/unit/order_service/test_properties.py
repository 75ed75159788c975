"""Whatever is told of an order, in whatever order and however often, it stays within its table."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from chassis.consumer import Ignore, TooEarly
from order_service.domain import (
    GIVEN_UP,
    NEXT_STATUSES,
    OPEN_PAYMENTS,
    TERMINAL,
    Contradiction,
    OrderCompleted,
    OrderNotCancellable,
    PaymentRequested,
    PaymentStatus,
    PaymentVoidRequested,
    Status,
)
from tests.unit.order_service.examples import NOON, an_order, every_fact, facts, hear

_FACTS = every_fact()
_EVENTS = st.lists(st.sampled_from([*range(len(_FACTS)), "cancel", "expire"]), max_size=40)


@given(_EVENTS)
def test_random_facts_never_leave_the_table_and_never_resurrect(events: list[int | str]) -> None:
    order = an_order(Status.PENDING, version=1)
    given_up = False
    for event in events:
        with contextlib.suppress(Ignore, TooEarly, Contradiction, OrderNotCancellable):
            if event == "cancel":
                order.cancel("")
            elif event == "expire" and order.status is Status.RESERVED:
                order.ask_to_expire()
            elif isinstance(event, int):
                hear(order, _FACTS[event])
        given_up = given_up or order.is_given_up
        assert not given_up or order.is_given_up

    versions = [step.version for step in order.steps]
    assert versions == list(range(2, order.version + 1)), "contiguous"
    place: Status = Status.PENDING
    for step in order.steps:
        assert step.previous is place
        assert step.status is place or step.status in NEXT_STATUSES[place]
        place = step.status
    assert place is order.status


@given(_EVENTS)
def test_what_ends_without_success_holds_neither_stock_nor_money_but_what_was_asked_back(
    events: list[int | str],
) -> None:
    order = an_order(Status.PENDING)
    for event in events:
        was_over = order.has_ended
        with contextlib.suppress(Ignore, TooEarly, Contradiction, OrderNotCancellable):
            if event == "cancel":
                order.cancel("")
            elif isinstance(event, int):
                hear(order, _FACTS[event])
        if order.status in TERMINAL & GIVEN_UP and not was_over:
            assert order.is_stock_released
            assert order.payment_status not in OPEN_PAYMENTS
    if order.is_given_up and order.payment_status is PaymentStatus.PAID:
        assert PaymentVoidRequested in facts(order)


@given(_EVENTS)
def test_money_is_asked_for_once_and_completion_told_once(events: list[int | str]) -> None:
    order = an_order(Status.PENDING)
    for event in events:
        with contextlib.suppress(Ignore, TooEarly, Contradiction, OrderNotCancellable):
            if event == "cancel":
                order.cancel("")
            elif isinstance(event, int):
                hear(order, _FACTS[event])
    assert facts(order).count(PaymentRequested) <= 1
    assert facts(order).count(OrderCompleted) == (order.status is Status.COMPLETED)


def test_the_happy_path_is_three_steps_and_two_facts() -> None:
    order = an_order(Status.PENDING, created_at=NOON)
    hear(order, _FACTS[0], _FACTS[5])
    assert (order.status, facts(order), len(order.steps)) == (
        Status.COMPLETED, [PaymentRequested, OrderCompleted], 3,
    )  # fmt: skip
