"""What each fact makes of an order in each state: applied, ignored, or too early, and never a resurrection."""

import contextlib
from typing import Any

import pytest
from google.protobuf.message import Message

from chassis.consumer import Ignore, TooEarly
from order_service.domain import (
    Attention,
    Contradiction,
    FailureCode,
    OrderCompensating,
    OrderCompleted,
    PaymentStatus,
    PaymentVoidRequested,
    Status,
    SupplierOrderRequested,
)
from order_service.event_handlers import HANDLERS
from protos.inventory.events.v1.events_pb2 import StockRejected, StockReleased, StockReserved, StockShortage
from protos.payments.events.v1.events_pb2 import (
    PaymentAttention,
    PaymentCaptured,
    PaymentClosed,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnavailable,
    PaymentUnknown,
    PaymentVoided,
    RefundDelayed,
    RefundFailed,
    RefundSucceeded,
)
from protos.suppliers.events.v1.events_pb2 import (
    SupplierOrderAccepted,
    SupplierOrderDelayed,
    SupplierOrderFailed,
    SupplierOrderRejected,
    SupplierOrderUnreachable,
)
from tests.unit.order_service.examples import (
    NOON,
    ORDER_ID,
    a_fact,
    a_shortage,
    an_order,
    every_fact,
    facts,
    hear,
    stamp,
    steps,
)

# In the order of `Status`: PENDING, AWAITING_RESTOCK, RESERVED, PAYMENT_PROCESSING, COMPLETED, CANCELLING, CANCELLED,
# COMPENSATING, FAILED, EXPIRED. `+` applied, `-` ignored, `<` too early, `!` a contradiction.
_FATES: dict[type[Any], str] = {
    StockReserved: "++--------",
    StockRejected: "+----+-+--",
    StockShortage: "++--------",
    StockReleased: "<<<<-+-+--",
    PaymentStarted: "<<+--+----",
    PaymentCaptured: "<<++-+++++",
    PaymentDeclined: "<<++-+----",
    PaymentUnavailable: "<<++-+----",
    PaymentUnknown: "<<++-+----",
    PaymentClosed: "<<++-+----",
    PaymentVoided: "<<<<!+++++",
    PaymentAttention: "<<++++++++",
    RefundSucceeded: "<<!!!!!!!!",
    RefundFailed: "<<!!!!!!!!",
    RefundDelayed: "<<!!!!!!!!",
    SupplierOrderRejected: "<+--------",
    SupplierOrderFailed: "<+--------",
    SupplierOrderAccepted: "<+--------",
    SupplierOrderDelayed: "<+--------",
    SupplierOrderUnreachable: "<+--------",
}


def _fate(status: Status, fact: Message) -> tuple[str, Any]:
    order = an_order(status)
    try:
        hear(order, fact)
    except Ignore:
        return "-", order
    except TooEarly:
        return "<", order
    except Contradiction:
        return "!", order
    return "+", order


def test_every_fact_that_orders_listens_to_is_in_the_table() -> None:
    assert set(_FATES) == set(HANDLERS) == {type(fact) for fact in every_fact()}


@pytest.mark.parametrize("fact", every_fact(), ids=lambda fact: type(fact).__name__)
def test_a_fact_is_applied_ignored_or_too_early_as_the_table_says(fact: Message) -> None:
    told = [_fate(status, fact) for status in Status]
    assert "".join(fate for fate, _ in told) == _FATES[type(fact)]
    for fate, order in told:
        assert (fate == "+") == bool(order.steps or order.facts), "who is not applied changes nothing"


@pytest.mark.parametrize("fact", every_fact(), ids=lambda fact: type(fact).__name__)
def test_a_fact_about_an_order_that_is_not_there_waits_for_it(fact: Message) -> None:
    with pytest.raises(TooEarly):
        hear(None, fact)


@pytest.mark.parametrize("fact", every_fact(), ids=lambda fact: type(fact).__name__)
@pytest.mark.parametrize("status", Status)
def test_the_same_fact_told_again_changes_nothing_or_only_repeats_a_request(status: Status, fact: Message) -> None:
    """Redelivery is caught by the inbox; this is the fact told anew, by a service that was asked a second time."""
    fate, order = _fate(status, fact)
    if fate != "+":
        return
    before = order.version
    with contextlib.suppress(Ignore, Contradiction):
        hear(order, fact)
    assert order.version == before


def test_an_order_is_completed_in_two_steps_by_one_fact_when_the_provider_was_quick() -> None:
    order = an_order(Status.RESERVED)
    hear(order, PaymentCaptured(order_id=ORDER_ID, amount_minor=510, currency="GBP", started_at=stamp(-1)))
    assert steps(order) == [
        (Status.RESERVED, Status.PAYMENT_PROCESSING),
        (Status.PAYMENT_PROCESSING, Status.COMPLETED),
    ]
    assert (order.version, facts(order)) == (5, [OrderCompleted])
    assert order.steps[0].at < NOON < order.steps[1].at


def test_a_decline_gives_the_stock_back_before_the_order_fails() -> None:
    order = an_order(Status.RESERVED)
    hear(order, a_fact(PaymentDeclined))
    assert (order.status, order.failure_message) == (Status.COMPENSATING, "No funds.")
    assert facts(order) == [OrderCompensating]


def test_a_charge_that_was_never_sent_in_time_fails_the_order() -> None:
    order = an_order(Status.PAYMENT_PROCESSING)
    hear(order, a_fact(PaymentUnavailable), a_fact(StockReleased))
    assert (order.status, order.failure_code) == (Status.FAILED, FailureCode.PAYMENT_UNAVAILABLE)


@pytest.mark.parametrize("status", [Status.RESERVED, Status.PAYMENT_PROCESSING])
def test_a_closed_door_ends_an_order_that_was_not_cancelled_as_expired(status: Status) -> None:
    """It may have been started, not sent, and then closed: also then no money will ever come."""
    order = an_order(status)
    hear(order, a_fact(PaymentClosed), a_fact(StockReleased))
    assert (order.status, order.failure_code) == (Status.EXPIRED, FailureCode.RESERVATION_EXPIRED)


def test_an_open_door_lets_an_expiring_order_go_on() -> None:
    order = an_order(Status.RESERVED)
    order.ask_to_expire()
    hear(order, a_fact(PaymentStarted), a_fact(PaymentCaptured))
    assert order.status is Status.COMPLETED


def test_an_open_door_makes_a_cancel_wait_for_the_money_and_give_it_back() -> None:
    order = an_order(Status.PAYMENT_PROCESSING)
    order.cancel("")
    hear(order, a_fact(PaymentStarted), a_fact(StockReleased), a_fact(PaymentCaptured))
    assert order.status is Status.CANCELLING
    assert facts(order).count(PaymentVoidRequested) == 2, "asked as soon as a charge is known, and when it was taken"
    hear(order, a_fact(PaymentVoided))
    assert (order.status, order.payment_status) == (Status.CANCELLED, PaymentStatus.VOIDED)


def test_a_decline_is_as_good_as_a_closed_door_for_a_cancel() -> None:
    order = an_order(Status.PAYMENT_PROCESSING)
    order.cancel("")
    hear(order, a_fact(PaymentDeclined), a_fact(StockReleased))
    assert (order.status, order.failure_code) == (Status.CANCELLED, None)


def test_stock_that_is_reserved_too_late_does_not_resurrect_a_cancelled_order() -> None:
    order = an_order(Status.PENDING)
    order.cancel("")
    with pytest.raises(Ignore):
        hear(order, a_fact(StockReserved))
    hear(order, a_fact(StockReleased))
    assert order.status is Status.CANCELLED


def test_a_rejection_is_as_good_as_a_release_for_a_cancel() -> None:
    order = an_order(Status.PENDING)
    order.cancel("")
    hear(order, a_fact(StockRejected))
    assert order.status is Status.CANCELLED
    with pytest.raises(Ignore):
        hear(order, a_fact(StockReleased))


def test_a_refused_void_is_told_by_attention_and_the_order_waits() -> None:
    order = an_order(Status.CANCELLING, is_stock_released=True)
    hear(order, a_fact(PaymentCaptured))
    hear(order, PaymentAttention(order_id=ORDER_ID, attention="refund_failed", next_try_at=stamp(60)))
    assert (order.status, order.attention) == (Status.CANCELLING, Attention.REFUND_FAILED)
    hear(order, a_fact(PaymentVoided))
    assert (order.status, order.attention) == (Status.CANCELLED, None)


def test_money_that_shows_up_after_a_void_is_given_back_again() -> None:
    """A void that found nothing, and a charge that took effect later: payments goes on asking, and finds it."""
    order = an_order(Status.CANCELLED, payment_status=PaymentStatus.VOIDED)
    hear(order, a_fact(PaymentCaptured))
    assert (order.payment_status, facts(order)) == (PaymentStatus.PAID, [PaymentVoidRequested])


def test_what_is_held_already_is_not_asked_of_the_supplier() -> None:
    order = an_order(Status.PENDING)
    hear(order, StockShortage(order_id=ORDER_ID, shortages=[a_shortage("A", 5, 2, held=2), a_shortage("B", 3, 0)]))
    assert order.facts == [SupplierOrderRequested("A", 3, "acme", "ok"), SupplierOrderRequested("B", 3, "acme", "ok")]


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        (a_fact(SupplierOrderRejected), FailureCode.SUPPLIER_REJECTED),
        (a_fact(SupplierOrderFailed), FailureCode.SUPPLIER_DELAYED),
        (
            SupplierOrderFailed(order_id=ORDER_ID, sku="A", failure_code="of a later release"),
            FailureCode.SUPPLIER_FAILED,
        ),
    ],
    ids=["rejected", "delayed", "unheard of"],
)
def test_goods_that_will_not_come_fail_the_order_once_its_stock_is_given_back(fact: Message, code: FailureCode) -> None:
    order = an_order(Status.AWAITING_RESTOCK)
    hear(order, fact)
    assert order.status is Status.COMPENSATING
    hear(order, a_fact(StockReleased))
    assert (order.status, order.failure_code) == (Status.FAILED, code)


def test_a_waiting_order_says_what_it_waits_for() -> None:
    order = an_order(Status.AWAITING_RESTOCK, attention=Attention.SUPPLIER_WAIT)
    hear(order, a_fact(SupplierOrderUnreachable))
    assert (order.attention, order.next_try_at) == (Attention.SUPPLIER_UNREACHABLE, stamp(1).ToDatetime(NOON.tzinfo))
    hear(order, a_fact(SupplierOrderAccepted), a_fact(SupplierOrderDelayed))
    assert (order.attention, order.next_try_at) == (Attention.SUPPLIER_WAIT, stamp(15).ToDatetime(NOON.tzinfo))
