"""An order's life: what each step changes, what it tells, and that nothing ends before everything is undone."""

from datetime import timedelta

import pytest

from order_service.domain import (
    Attention,
    FailureCode,
    GiveUpReason,
    MissingGoods,
    OrderCancelled,
    OrderCancelling,
    OrderCompensating,
    OrderCompleted,
    OrderExpired,
    OrderFailed,
    OrderNotCancellable,
    PaymentGiveUpRequested,
    PaymentRequested,
    PaymentStatus,
    PaymentVoidRequested,
    Shortage,
    Status,
    SupplierOrderCancelRequested,
    SupplierOrderRequested,
)
from tests.unit.order_service.examples import NOON, TRACE, an_order, facts, steps


def test_a_reserved_order_asks_for_its_money() -> None:
    order = an_order(Status.PENDING)
    order.reserve(NOON + timedelta(minutes=10))
    assert order.facts == [PaymentRequested(NOON + timedelta(minutes=10))]
    assert (order.payment_status, order.is_held) == (PaymentStatus.PENDING, True)
    assert order.reserved_until == NOON + timedelta(minutes=10)


def test_a_step_says_by_whom_when_and_in_which_trace_it_was_taken() -> None:
    order = an_order(Status.PENDING, actor="inventory")
    order.reserve(NOON)
    [step] = order.steps
    assert (step.version, step.actor, step.at, step.traceparent) == (4, "inventory", order.at, TRACE)
    assert step.reason.endswith(".")


def test_from_payment_processing_on_the_reservation_does_not_expire() -> None:
    order = an_order(Status.RESERVED)
    order.start_payment(NOON)
    assert order.reserved_until is None
    assert order.steps[-1].at == NOON


def test_a_paid_order_is_complete_and_tells_it() -> None:
    order = an_order(Status.PAYMENT_PROCESSING, attention=Attention.PAYMENT_UNKNOWN, next_try_at=NOON)
    order.complete()
    assert facts(order) == [OrderCompleted]
    assert (order.payment_status, order.attention, order.next_try_at) == (PaymentStatus.PAID, None, None)


def test_a_rejected_order_fails_at_once_and_says_what_is_short() -> None:
    order = an_order(Status.PENDING)
    order.reject([Shortage("A", 5, 2), Shortage("B", 1, 0)])
    assert (order.status, order.failure_code) == (Status.FAILED, FailureCode.INSUFFICIENT_STOCK)
    assert order.failure_message == "Not enough stock of A, B."
    assert facts(order) == [OrderFailed]
    assert not order.is_held


def test_each_missing_sku_is_asked_of_its_supplier() -> None:
    order = an_order(Status.PENDING)
    order.await_restock([MissingGoods("A", 3, "acme", "ok"), MissingGoods("B", 1, "bolt", "reject")])
    assert order.facts == [
        SupplierOrderRequested("A", 3, "acme", "ok"),
        SupplierOrderRequested("B", 1, "bolt", "reject"),
    ]
    assert (order.attention, order.is_held) == (Attention.SUPPLIER_WAIT, False)


def test_an_order_that_is_whole_needs_no_more_goods() -> None:
    order = an_order(Status.AWAITING_RESTOCK, attention=Attention.SUPPLIER_WAIT)
    order.reserve(NOON)
    assert facts(order) == [PaymentRequested, SupplierOrderCancelRequested]
    assert order.attention is None


def test_an_order_whose_goods_do_not_come_gives_back_what_it_holds_and_wants_no_other_goods() -> None:
    order = an_order(Status.AWAITING_RESTOCK)
    order.compensate(FailureCode.SUPPLIER_REJECTED, "Never heard of it.")
    assert facts(order) == [OrderCompensating, SupplierOrderCancelRequested]
    assert order.payment_status is PaymentStatus.NONE


def test_a_declined_order_fails_only_when_its_stock_is_given_back() -> None:
    order = an_order(Status.PAYMENT_PROCESSING)
    order.compensate(FailureCode.PAYMENT_DECLINED, "No funds.")
    assert (order.status, facts(order)) == (Status.COMPENSATING, [OrderCompensating])
    order.release_stock()
    assert (order.status, order.failure_code, order.failure_message) == (
        Status.FAILED, FailureCode.PAYMENT_DECLINED, "No funds.",
    )  # fmt: skip
    assert facts(order) == [OrderCompensating, OrderFailed]


def test_an_order_whose_time_is_over_expires_only_when_its_stock_is_given_back() -> None:
    order = an_order(Status.RESERVED)
    order.ask_to_expire()
    assert order.facts == [PaymentGiveUpRequested(GiveUpReason.EXPIRING)]
    assert (order.status, order.steps) == (Status.RESERVED, [])
    order.compensate(FailureCode.RESERVATION_EXPIRED, "Its time was over.")
    order.release_stock()
    assert order.status is Status.EXPIRED
    assert facts(order) == [PaymentGiveUpRequested, OrderCompensating, OrderExpired]


@pytest.mark.parametrize("status", [Status.PENDING, Status.AWAITING_RESTOCK])
def test_cancelling_before_money_was_asked_for_waits_for_the_stock_alone(status: Status) -> None:
    order = an_order(status)
    order.cancel("Changed my mind.")
    assert facts(order)[0] is OrderCancelling
    assert PaymentGiveUpRequested not in facts(order)
    order.release_stock()
    assert (order.status, facts(order)[-1]) == (Status.CANCELLED, OrderCancelled)


def test_cancelling_while_goods_are_on_order_cancels_these_as_well() -> None:
    order = an_order(Status.AWAITING_RESTOCK)
    order.cancel("")
    assert facts(order) == [OrderCancelling, SupplierOrderCancelRequested]


@pytest.mark.parametrize("status", [Status.RESERVED, Status.PAYMENT_PROCESSING])
def test_cancelling_gives_the_stock_back_at_once_and_closes_the_door_to_the_provider(status: Status) -> None:
    order = an_order(status)
    order.cancel("Changed my mind.")
    assert order.facts == [OrderCancelling(), PaymentGiveUpRequested(GiveUpReason.CANCELLING)]
    assert (order.steps[-1].reason, order.reserved_until) == ("Changed my mind.", None)


@pytest.mark.parametrize("stock_comes_first", [True, False])
def test_a_cancelled_order_ends_with_the_last_undo_whichever_that_is(stock_comes_first: bool) -> None:
    order = an_order(Status.CANCELLING)
    undos = [order.release_stock, order.settle_without_money]
    first, last = undos if stock_comes_first else reversed(undos)
    first()
    assert not order.has_ended
    last()
    assert order.status is Status.CANCELLED


def test_money_that_comes_for_a_cancelled_order_goes_back_before_the_order_ends() -> None:
    order = an_order(Status.CANCELLING)
    order.take_money_back()
    order.release_stock()
    assert (order.status, facts(order)) == (Status.CANCELLING, [PaymentVoidRequested])
    order.settle_with_void()
    assert (order.status, order.payment_status) == (Status.CANCELLED, PaymentStatus.VOIDED)


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.EXPIRED, Status.FAILED])
def test_money_found_later_is_given_back_and_resurrects_nothing(status: Status) -> None:
    order = an_order(status)
    order.take_money_back()
    assert (order.status, order.payment_status) == (status, PaymentStatus.PAID)
    assert facts(order) == [PaymentVoidRequested]
    order.settle_with_void()
    assert (order.status, order.payment_status) == (status, PaymentStatus.VOIDED)
    assert steps(order) == [(status, status), (status, status)]


def test_an_unknown_payment_keeps_the_stock_and_says_when_it_is_asked_again() -> None:
    order = an_order(Status.PAYMENT_PROCESSING)
    order.doubt_payment(NOON)
    assert (order.status, order.payment_status) == (Status.PAYMENT_PROCESSING, PaymentStatus.UNKNOWN)
    assert (order.attention, order.next_try_at) == (Attention.PAYMENT_UNKNOWN, NOON)
    assert order.facts == []


def test_a_doubt_about_the_money_of_a_cancelled_order_asks_for_it_back() -> None:
    order = an_order(Status.CANCELLING)
    order.doubt_payment(NOON)
    order.release_stock()
    assert (order.status, facts(order)) == (Status.CANCELLING, [PaymentVoidRequested])


@pytest.mark.parametrize("status", [Status.CANCELLING, Status.CANCELLED])
def test_cancelling_again_changes_nothing(status: Status) -> None:
    order = an_order(status)
    order.cancel("Again.")
    assert (order.status, order.steps, order.facts) == (status, [], [])


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.COMPENSATING, Status.FAILED, Status.EXPIRED])
def test_what_has_ended_cannot_be_cancelled_and_the_refusal_names_the_status(status: Status) -> None:
    order = an_order(status)
    with pytest.raises(OrderNotCancellable, match=status):
        order.cancel("Too late.")
    assert (order.status, order.steps, order.facts) == (status, [], [])
