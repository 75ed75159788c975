"""Money back: what may be asked for, what becomes of it, and never more than was paid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import ids
from chassis.errors import Refusal, ValidationFailed
from order_service.domain import (
    Attention,
    OrderNotRefundable,
    OrderRefunded,
    PaymentStatus,
    Refund,
    RefundExceedsPayment,
    RefundRequested,
    Refunds,
    RefundStatus,
    Status,
    WantedRefund,
)
from tests.unit.order_service.examples import NOON, an_order, facts, steps


def some_refunds(**changes: Any) -> Refunds:
    """The refunds of a paid order of 5.10 for two A and one B; none yet."""
    order = an_order(Status.COMPLETED, **changes)
    return Refunds(order, [], {"A": 2, "B": 1})


def ask(refunds: Refunds, amount_minor: int | None = None, **more: Any) -> Refund:
    return refunds.request(WantedRefund(ids.new_id(), b"", amount_minor, **more), ids.new_id())


def test_money_is_asked_back_and_the_timeline_says_why() -> None:
    refunds = some_refunds()

    refund = ask(refunds, 200, reason="scratched")

    assert (refund.status, refund.amount_minor, refund.is_new) == (RefundStatus.PENDING, 200, True)
    assert refunds.order.facts == [RefundRequested(refund.id, 200)]
    assert [step.reason for step in refunds.order.steps] == ["A refund of 2.00 GBP was asked for: scratched"]
    assert refunds.order.payment_status is PaymentStatus.PAID, "nothing is back yet"


def test_without_an_amount_it_is_all_that_is_left() -> None:
    refunds = some_refunds()
    ask(refunds, 200)

    assert ask(refunds).amount_minor == 310
    with pytest.raises(RefundExceedsPayment):
        ask(refunds)


def test_what_is_under_way_counts_as_given_back() -> None:
    """Only what has succeeded would be the simpler sum: two refunds of the whole amount at once would both pass."""
    refunds = some_refunds()
    ask(refunds, 510)

    with pytest.raises(RefundExceedsPayment):
        ask(refunds, 1)


def test_what_failed_is_free_to_be_asked_for_again() -> None:
    refunds = some_refunds()
    refund = ask(refunds, 510, restock=True)

    refunds.fail(refund, "The card is closed.")

    assert (refunds.left_minor, refunds.order.attention) == (510, Attention.REFUND_FAILED)
    assert refund.failure_message == "The card is closed."
    again = ask(refunds, 510, restock=True)
    assert again.items == {"A": 2, "B": 1}, "its goods did not come back either"
    assert refunds.order.attention is None, "who asks again has seen it"


def test_the_timeline_names_the_refund_that_needs_somebody() -> None:
    """Who settles it by hand must say which one."""
    refunds = some_refunds()
    refund = ask(refunds, 200)

    refunds.delay(refund, Attention.REFUND_FAILED, NOON)
    refunds.fail(refund, "The card is closed.")

    _, delayed, failed = (step.reason for step in refunds.order.steps)
    assert delayed == f"The refund {refund.id} of 2.00 GBP was refused by the provider, and is tried again."
    assert failed == f"The refund {refund.id} of 2.00 GBP failed: The card is closed."


def test_part_of_the_money_is_back_then_all_of_it() -> None:
    refunds = some_refunds()
    part, rest = ask(refunds, 200), ask(refunds)

    refunds.succeed(part)
    after_part = (refunds.order.payment_status, refunds.order.refunded_minor)
    refunds.succeed(rest)

    assert after_part == (PaymentStatus.PARTIALLY_REFUNDED, 200)
    assert (refunds.order.payment_status, refunds.order.refunded_minor) == (PaymentStatus.REFUNDED, 510)
    assert facts(refunds.order) == [RefundRequested, RefundRequested, OrderRefunded, OrderRefunded]
    assert set(steps(refunds.order)) == {(Status.COMPLETED, Status.COMPLETED)}


def test_goods_are_told_to_come_back_only_when_the_money_is_back() -> None:
    refunds = some_refunds()
    refund = ask(refunds, restock=True)
    assert facts(refunds.order) == [RefundRequested]

    refunds.succeed(refund)

    assert refunds.order.facts[-1] == OrderRefunded(refund.id, 510, (("A", 2), ("B", 1)))


def test_restock_puts_back_everything_that_is_not_back_yet() -> None:
    refunds = some_refunds()
    ask(refunds, 200, restock=True, items=[("A", 1)])

    assert ask(refunds, restock=True).items == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("amount", "items", "field"),
    [
        (200, [], "items"),
        (200, [("A", 3)], "items[0].quantity"),
        (200, [("A", 1), ("A", 2)], "items[1].quantity"),
        (None, [("C", 1)], "items[0].sku"),
    ],
)
def test_what_cannot_come_back_is_refused_by_name(amount: int | None, items: list[tuple[str, int]], field: str) -> None:
    refunds = some_refunds()

    with pytest.raises(ValidationFailed) as refused:
        ask(refunds, amount, items=items, restock=True)

    assert list(refused.value.fields) == [field]
    assert (refunds.refunds, refunds.order.steps) == ([], [])


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_only_a_completed_order_can_be_refunded(status: Status) -> None:
    with pytest.raises(OrderNotRefundable):
        ask(Refunds(an_order(status), [], {"A": 2}))


def test_a_refund_that_nobody_knows_of_is_unknown_and_then_known() -> None:
    refunds = some_refunds()
    refund = ask(refunds)

    refunds.delay(refund, Attention.PAYMENT_UNKNOWN, NOON)
    seen = (refund.status, refunds.order.attention, refunds.order.next_try_at)
    refunds.succeed(refund)

    assert seen == (RefundStatus.UNKNOWN, Attention.PAYMENT_UNKNOWN, NOON)
    assert (refund.status, refunds.order.attention) == (RefundStatus.SUCCEEDED, None)


def test_the_order_keeps_needing_attention_for_its_other_refund() -> None:
    refunds = some_refunds()
    unknown, other = ask(refunds, 100), ask(refunds, 100)
    refunds.delay(unknown, Attention.PAYMENT_UNKNOWN, NOON)

    refunds.succeed(other)

    assert refunds.order.attention is Attention.PAYMENT_UNKNOWN


def test_attention_for_something_else_is_left_alone() -> None:
    refunds = some_refunds(attention=Attention.PAYMENT_OPERATOR)

    refunds.succeed(ask(refunds))

    assert refunds.order.attention is Attention.PAYMENT_OPERATOR


_AMOUNTS = st.one_of(st.none(), st.integers(-5, 600))
_STEPS = st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail", "delay"]), _AMOUNTS, st.booleans()), max_size=30)


@given(_STEPS)
def test_refunds_never_come_to_more_than_the_total_nor_goods_to_more_than_were_bought(
    wanted: list[tuple[str, int | None, bool]],
) -> None:
    refunds = some_refunds()
    for what, amount, restock in wanted:
        still_open = [each for each in refunds.refunds if each.is_open]
        if what == "ask":
            try:
                ask(refunds, amount, restock=restock, items=[("A", 1)] if restock else [])
            except Refusal:
                continue
        elif still_open:
            refund = still_open[(amount or 0) % len(still_open)]
            if what == "succeed":
                refunds.succeed(refund)
            elif what == "fail":
                refunds.fail(refund, "No.")
            else:
                refunds.delay(refund, Attention.PAYMENT_UNKNOWN, NOON)

        counting = [each for each in refunds.refunds if each.status is not RefundStatus.FAILED]
        assert sum(each.amount_minor for each in counting) <= refunds.order.total_minor
        assert sum(each.restocked.get("A", 0) for each in counting) <= 2
        assert all(each.amount_minor > 0 for each in refunds.refunds)
        is_all = refunds.order.refunded_minor == refunds.order.total_minor
        assert (refunds.order.payment_status is PaymentStatus.REFUNDED) == is_all
