"""Payments on the wire: events, the gRPC face, and the payload of a call."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message

from chassis.access.ownership import owner_mark
from chassis.calls import Call, NewCall
from chassis.money import format_amount
from payment_service import domain
from payment_service.domain import Attempt, Fact, Payment, Question, Refund, Settlement
from payment_service.ports import ChargeRequest, RefundRequest
from payment_service.queries import FoundDifference
from protos.payments.events.v1 import events_pb2 as events
from protos.payments.v1 import payments_pb2 as pb

CHARGE: Final = "charge"
"""The kind of the call that brings a charge to its end: sends it, asks for it by our key, sends it again."""
VOID: Final = "void"
"""The kind of the call that takes back what was charged."""
REFUND: Final = "refund"
"""The kind of the call that brings a refund to its end: sends it, asks for it by its key, sends it again."""


def requested_payment(message: events.PaymentRequested, payment_id: str, at: datetime) -> Payment:
    """The payment that is asked for; one without a time to end by is tried once."""
    has_end = message.HasField("reserved_until")
    return Payment.requested(
        message.order_id,
        payment_id,
        (message.amount_minor, message.currency),
        message.payment_method,
        message.reserved_until.ToDatetime(UTC) if has_end else at,
        at,
        owner_mark(message.order_id, message.customer_id) if message.customer_id else None,
    )


def call_of(question: Question, payment: Payment, trace: str) -> NewCall:
    """The call that asks a question about a payment, due at once."""
    if question is Question.VOID:
        return NewCall(VOID, payment.id, payment.order_id, {"trace": trace})
    asked = {"amount": payment.amount_minor, "currency": payment.currency, "method": payment.payment_method}
    return NewCall(CHARGE, payment.id, payment.order_id, asked | {"trace": trace})


def refund_call_of(refund: Refund, trace: str) -> NewCall:
    """The call that brings a refund to its end, due at once."""
    payment = refund.payment
    asked = {"payment": payment.id, "amount": refund.amount_minor, "currency": payment.currency}
    return NewCall(REFUND, refund.id, payment.order_id, asked | {"trace": trace})


def refund_of(call: Call) -> RefundRequest:
    """What a refund's call asks of the provider."""
    asked = call.payload
    return RefundRequest(call.key, asked["payment"], call.subject, asked["amount"], asked["currency"])


def charge_of(call: Call) -> ChargeRequest:
    """What a charge's call asks of the provider."""
    asked = call.payload
    return ChargeRequest(call.key, call.subject, asked["amount"], asked["currency"], asked["method"])


def next_question_of(call: Call) -> Question | None:
    """What the last answer left to be asked; None for a call that was never made, whose charge is begun already."""
    left = call.payload.get("next")
    return None if left is None else Question(left)


def payload_for(call: Call, question: Question) -> dict[str, Any]:
    """The call's payload when `question` is to be asked next."""
    return call.payload | {"next": question}


def fact_to_proto(fact: Fact) -> Message:
    """The event that tells a fact."""
    return _EVENTS[type(fact)](fact)


def _started(fact: domain.PaymentStarted) -> Message:
    return events.PaymentStarted(order_id=fact.order_id, payment_id=fact.payment_id, started_at=fact.started_at)


def _captured(fact: domain.PaymentCaptured) -> Message:
    return events.PaymentCaptured(
        order_id=fact.order_id,
        payment_id=fact.payment_id,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        provider_reference=fact.provider_reference,
        started_at=fact.started_at,
    )


def _declined(fact: domain.PaymentDeclined) -> Message:
    return events.PaymentDeclined(
        order_id=fact.order_id,
        payment_id=fact.payment_id,
        decline_code=fact.decline_code,
        decline_reason=fact.decline_reason,
        started_at=fact.started_at,
    )


def _unavailable(fact: domain.PaymentUnavailable) -> Message:
    return events.PaymentUnavailable(order_id=fact.order_id, payment_id=fact.payment_id, started_at=fact.started_at)


def _unknown(fact: domain.PaymentUnknown) -> Message:
    return events.PaymentUnknown(
        order_id=fact.order_id, payment_id=fact.payment_id, next_try_at=fact.next_try_at, started_at=fact.started_at
    )


def _closed(fact: domain.PaymentClosed) -> Message:
    return events.PaymentClosed(order_id=fact.order_id)


def _voided(fact: domain.PaymentVoided) -> Message:
    return events.PaymentVoided(order_id=fact.order_id, payment_id=fact.payment_id)


def _attention(fact: domain.PaymentAttention) -> Message:
    return events.PaymentAttention(order_id=fact.order_id, attention=fact.attention, next_try_at=fact.next_try_at)


def _refund_succeeded(fact: domain.RefundSucceeded) -> Message:
    return events.RefundSucceeded(**fact._asdict())


def _refund_failed(fact: domain.RefundFailed) -> Message:
    return events.RefundFailed(**fact._asdict())


def _refund_delayed(fact: domain.RefundDelayed) -> Message:
    return events.RefundDelayed(**fact._asdict())


_EVENTS: Final[dict[type[Any], Callable[[Any], Message]]] = {
    domain.PaymentStarted: _started,
    domain.PaymentCaptured: _captured,
    domain.PaymentDeclined: _declined,
    domain.PaymentUnavailable: _unavailable,
    domain.PaymentUnknown: _unknown,
    domain.PaymentClosed: _closed,
    domain.PaymentVoided: _voided,
    domain.PaymentAttention: _attention,
    domain.RefundSucceeded: _refund_succeeded,
    domain.RefundFailed: _refund_failed,
    domain.RefundDelayed: _refund_delayed,
}


def payment_to_proto(payment: Payment, updated_at: datetime) -> pb.Payment:
    """A payment as the gRPC face shows it."""
    return pb.Payment(
        id=payment.id,
        order_id=payment.order_id,
        status=f"PAYMENT_STATUS_{payment.status}",
        amount=format_amount(payment.amount_minor, payment.currency),
        currency=payment.currency,
        payment_method=payment.payment_method,
        captured_amount=format_amount(payment.captured_minor, payment.currency),
        refunded_amount=format_amount(payment.refunded_minor, payment.currency),
        provider_reference=payment.provider_reference or None,
        decline_code=payment.decline_code or None,
        decline_reason=payment.decline_reason or None,
        attempts=[_attempt_to_proto(attempt) for attempt in payment.attempts],
        created_at=payment.created_at,
        updated_at=updated_at,
    )


def _attempt_to_proto(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        kind=f"ATTEMPT_KIND_{attempt.kind}",
        outcome=attempt.outcome,
        detail=attempt.detail,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
    )


def settlement_of(outcome: int) -> Settlement:
    """What an operator has found out; the proto's validation leaves only those that there are."""
    return Settlement(pb.SettlementOutcome.Name(outcome).removeprefix("SETTLEMENT_OUTCOME_"))


def difference_to_proto(found: FoundDifference) -> pb.Difference:
    """A difference as the gRPC face shows it."""
    difference = found.difference
    return pb.Difference(
        payment_id=difference.payment_id,
        order_id=difference.order_id or None,
        detail=difference.detail,
        found_at=found.found_at,
    )
