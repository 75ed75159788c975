"""The table of states, and that an order can take its steps and no others."""

from collections.abc import Callable

import pytest

from order_service.domain import (
    GIVEN_UP,
    NEXT_STATUSES,
    ON_THE_WAY,
    TERMINAL,
    FailureCode,
    IllegalTransition,
    MissingGoods,
    Order,
    Shortage,
    Status,
)
from tests.unit.order_service.examples import NOON, an_order, steps

_WAYS: dict[Status, Callable[[Order], None]] = {
    Status.RESERVED: lambda order: order.reserve(NOON),
    Status.AWAITING_RESTOCK: lambda order: order.await_restock([MissingGoods("A", 1, "acme", "ok")]),
    Status.PAYMENT_PROCESSING: lambda order: order.start_payment(NOON),
    Status.COMPLETED: lambda order: order.complete(),
    Status.COMPENSATING: lambda order: order.compensate(FailureCode.PAYMENT_DECLINED, "No."),
}
"""The methods that lead to one state from wherever they are called; the others are tested by themselves."""


def test_every_status_has_its_row() -> None:
    assert set(NEXT_STATUSES) == set(Status)


def test_the_table_is_the_one_that_is_promised() -> None:
    written = {status.value: " ".join(sorted(following)) for status, following in NEXT_STATUSES.items() if following}
    assert written == {
        "PENDING": "AWAITING_RESTOCK CANCELLING FAILED RESERVED",
        "AWAITING_RESTOCK": "CANCELLING COMPENSATING RESERVED",
        "RESERVED": "CANCELLING COMPENSATING PAYMENT_PROCESSING",
        "PAYMENT_PROCESSING": "CANCELLING COMPENSATING COMPLETED",
        "CANCELLING": "CANCELLED",
        "COMPENSATING": "EXPIRED FAILED",
    }


def test_no_way_leads_back() -> None:
    def reachable(status: Status) -> set[Status]:
        return {status}.union(*(reachable(following) for following in NEXT_STATUSES[status]))

    for status in Status:
        assert all(status not in reachable(following) for following in NEXT_STATUSES[status])


def test_nothing_resurrects_an_order_that_was_given_up() -> None:
    for status in GIVEN_UP:
        assert NEXT_STATUSES[status] <= GIVEN_UP


def test_every_order_can_be_brought_to_an_end() -> None:
    assert frozenset({"COMPLETED", "CANCELLED", "FAILED", "EXPIRED"}) == TERMINAL
    assert all(Status.CANCELLING in NEXT_STATUSES[status] for status in ON_THE_WAY)


@pytest.mark.parametrize("to", _WAYS)
@pytest.mark.parametrize("status", Status)
def test_a_step_that_is_not_in_the_table_is_refused_and_changes_nothing(status: Status, to: Status) -> None:
    order = an_order(status)
    if to in NEXT_STATUSES[status]:
        _WAYS[to](order)
        assert steps(order) == [(status, to)]
        assert (order.status, order.previous_status, order.version) == (to, status, 4)
    else:
        with pytest.raises(IllegalTransition):
            _WAYS[to](order)
        assert (order.status, order.version, order.steps, order.facts) == (status, 3, [], [])


def test_only_an_undecided_order_is_rejected_for_lack_of_stock() -> None:
    for status in set(Status) - {Status.PENDING, Status.COMPENSATING}:
        with pytest.raises(IllegalTransition):
            an_order(status).reject([Shortage("A", 5, 2)])
