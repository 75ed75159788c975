"""The table of payments: its columns, and the payment in a row of them."""

from datetime import datetime
from typing import Any, Final

import orjson

from chassis.database import Row
from payment_service.domain import Attempt, Attention, Payment, Question, Refund, RefundStatus, Status

CONTEXT: Final = "payments"
COLUMNS: Final = """
    order_id, id, status, amount_minor, currency, payment_method, reserved_until, created_at, captured_minor,
    refunded_minor, provider_reference, decline_code, decline_reason, attempts, unknown_steps, next_try_at,
    is_start_told, is_void_requested, is_voiding, needs_operator, owner_mark, version, updated_at
"""


def payment_of(row: Row) -> Payment:
    """The payment in a row of COLUMNS."""
    return Payment(
        order_id=row.order_id,
        id=row.id,
        status=Status(row.status),
        amount_minor=row.amount_minor,
        currency=row.currency,
        payment_method=row.payment_method,
        reserved_until=row.reserved_until,
        created_at=row.created_at,
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
        provider_reference=row.provider_reference,
        decline_code=row.decline_code,
        decline_reason=row.decline_reason,
        attempts=[_attempt_of(attempt) for attempt in row.attempts],
        unknown_steps=row.unknown_steps,
        next_try_at=row.next_try_at,
        is_start_told=row.is_start_told,
        is_void_requested=row.is_void_requested,
        is_voiding=row.is_voiding,
        needs_operator=row.needs_operator,
        owner_mark=row.owner_mark,
        version=row.version,
    )


def _attempt_of(stored: dict[str, Any]) -> Attempt:
    ended_at = stored["ended_at"]
    return Attempt(
        Question(stored["kind"]),
        datetime.fromisoformat(stored["started_at"]),
        None if ended_at is None else datetime.fromisoformat(ended_at),
        stored["outcome"],
        stored["detail"],
    )


REFUND_COLUMNS: Final = """
    order_id, id, amount_minor, status, created_at, sent_at, not_sent, errors, refusals, unknown_steps, attention,
    next_try_at, reason
"""


def refund_of(row: Row, payment: Payment) -> Refund:
    """The refund in a row of REFUND_COLUMNS."""
    return Refund(
        payment=payment,
        id=row.id,
        amount_minor=row.amount_minor,
        status=RefundStatus(row.status),
        created_at=row.created_at,
        sent_at=row.sent_at,
        not_sent=row.not_sent,
        errors=row.errors,
        refusals=row.refusals,
        unknown_steps=row.unknown_steps,
        attention=Attention(row.attention),
        next_try_at=row.next_try_at,
        reason=row.reason,
    )


def attempts_json(payment: Payment) -> str:
    """The attempts of a payment as its column holds them."""
    return orjson.dumps(payment.attempts).decode()
