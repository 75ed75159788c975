"""What operators and providers say of payments, on real Postgres: applied once, audited, and told to the order."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from chassis import tracing
from chassis.database import Database, Row, rows_of
from chassis.ids import new_id
from payment_service.commands import PaymentDesk, RefundNotFound, SettlePayment
from payment_service.domain import Captured, Noticed, PaymentNotSettleable, Settlement, Status, TimedOut
from payment_service.ports import Notice
from payment_service.queries import PaymentNotFound, list_payments
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import TRACE, Desk, a_policy, an_order, payment_requested, refund_requested
from tests.services.payment_service.test_refunds import ForgetfulProvider
from tests.waiting import until

_EVIDENCE = "told by the provider's clerk on the telephone"
_LONG = (timedelta(hours=1),)


@pytest.fixture(autouse=True)
def _trace() -> None:
    tracing.current.set(TRACE)


def commands(desk: Desk) -> PaymentDesk:
    return PaymentDesk(desk.database, desk.calls.payments, a_policy(), lambda: None)


def payment_id(desk: Desk, order: str) -> str:
    return desk.database.read(lambda connection: list_payments(connection, order))[0].payment.id


def audited(database: Database, subject: str) -> list[Row]:
    sql = "SELECT actor, action, details, trace_id FROM audit WHERE subject = :subject"
    return list(database.read(lambda connection: rows_of(connection, sql, subject=subject)))


def an_unknown_payment(desk: Desk, method: str = "sim_timeout_charged") -> tuple[str, str]:
    order = an_order()
    desk.hear(payment_requested(order, method))
    assert until(lambda: desk.books.status(order) == Status.UNKNOWN)
    return order, payment_id(desk, order)


def settle(desk: Desk, payment: str, settlement: Settlement) -> None:
    asyncio.run(commands(desk).settle(SettlePayment(payment, settlement, _EVIDENCE)))


def notice(desk: Desk, payment: str, minor: int = 510) -> Noticed:
    return asyncio.run(commands(desk).notice(Notice(payment, Captured("ref-1", minor, "GBP"))))


def test_an_operator_settles_what_nobody_knows_with_evidence_in_the_audit(a_desk: Callable[..., Desk]) -> None:
    desk = a_desk(unknown_schedule=_LONG)
    order, payment = an_unknown_payment(desk)

    settle(desk, payment, Settlement.CAPTURED)

    assert desk.books.decided(order) == ["PaymentUnknown", "PaymentCaptured"]
    [act] = audited(desk.database, payment)
    assert (act.actor, act.action, act.details["outcome"]) == ("operator", "settle_payment", "CAPTURED")
    assert (act.details["evidence"], act.details["order_id"]) == (_EVIDENCE, order)
    assert act.trace_id == tracing.trace_id_of(TRACE)


def test_a_settle_that_is_refused_leaves_no_trace(desk: Desk) -> None:
    order = an_order()
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.status(order) == Status.CAPTURED)

    with pytest.raises(PaymentNotSettleable):
        settle(desk, payment_id(desk, order), Settlement.NOT_CAPTURED)
    with pytest.raises(PaymentNotFound):
        settle(desk, new_id(), Settlement.CAPTURED)

    assert audited(desk.database, payment_id(desk, order)) == []
    assert desk.books.decided(order) == ["PaymentCaptured"]


def test_a_cancelled_payment_that_is_settled_as_captured_goes_back(a_desk: Callable[..., Desk]) -> None:
    desk = a_desk(unknown_schedule=_LONG)
    order, payment = an_unknown_payment(desk)
    settle(desk, payment, Settlement.CAPTURED)

    desk.hear(events.PaymentVoidRequested(order_id=order))

    assert until(lambda: desk.books.status(order) == Status.VOIDED)
    assert desk.books.entries(order) == ["captured", "voided"]


def test_a_callback_ends_an_unknown_payment_before_its_next_question(a_desk: Callable[..., Desk]) -> None:
    desk = a_desk(unknown_schedule=_LONG)
    order, payment = an_unknown_payment(desk)

    assert [notice(desk, payment) for _ in range(2)] == [Noticed.APPLIED, Noticed.KNOWN]

    assert desk.books.decided(order) == ["PaymentUnknown", "PaymentCaptured"]


def test_a_callback_about_another_amount_calls_an_operator_and_leaves_the_payment_as_it_is(
    a_desk: Callable[..., Desk],
) -> None:
    desk = a_desk(unknown_schedule=_LONG)
    order, payment = an_unknown_payment(desk)

    assert notice(desk, payment, 5_100) is Noticed.DISPUTED

    assert desk.books.status(order) == Status.UNKNOWN
    attention = desk.books.facts(order)[-1]
    assert isinstance(attention, events.PaymentAttention)
    assert attention.attention == "payment_operator"


def test_callbacks_and_polls_that_race_tell_the_order_once(desk: Desk) -> None:
    orders = [an_order() for _ in range(40)]
    desk.hear(*(payment_requested(order, "sim_slow:100") for order in orders))
    payments = {order: payment_id(desk, order) for order in orders}

    async def all_at_once() -> None:
        clerk = commands(desk)
        said = [Notice(payment, Captured("ref-1", 510, "GBP")) for payment in payments.values()] * 2
        await asyncio.gather(*(clerk.notice(each) for each in said))

    asyncio.run(all_at_once())

    assert until(lambda: desk.books.open_calls() == 0)
    assert {tuple(desk.books.decided(order)) for order in orders} == {("PaymentCaptured",)}
    assert {tuple(desk.books.entries(order)) for order in orders} == {("captured",)}


def test_a_callback_for_a_payment_that_nobody_knows_is_refused(desk: Desk) -> None:
    with pytest.raises(PaymentNotFound):
        notice(desk, new_id())


def test_an_operator_ends_a_refund_of_which_nobody_knows(a_desk: Callable[..., Desk]) -> None:
    provider = ForgetfulProvider(TimedOut())
    desk = a_desk(provider=provider, unknown_schedule=_LONG)
    provider.behind = desk.simulated
    order, refund = an_order(), new_id()
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.status(order) == Status.CAPTURED)
    desk.hear(refund_requested(order, 210, refund))
    assert until(lambda: desk.books.decided(order)[-1] == "RefundDelayed")
    payment = payment_id(desk, order)

    word = SettlePayment(payment, Settlement.GIVEN_BACK, _EVIDENCE, refund_id=refund)
    shown = asyncio.run(commands(desk).settle(word))
    with pytest.raises(RefundNotFound):
        asyncio.run(commands(desk).settle(word._replace(refund_id=new_id())))

    assert (shown.payment.status, shown.payment.refunded_minor) == (Status.PARTIALLY_REFUNDED, 210)
    assert desk.books.decided(order)[-1] == "RefundSucceeded"
    [act] = audited(desk.database, payment)
    assert act.details["refund_id"] == refund
