"""All SQL that writes payments: rows locked in order of their order ids, written back in one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from chassis import clock
from chassis.calls import Call, Calls, NewCall
from chassis.database import change_all, rows_of
from chassis.envelope import Outgoing
from chassis.failpoints import failpoint
from chassis.metrics import counter
from chassis.outbox import tell
from payment_service import domain, wire
from payment_service.domain import Fact, Payment, Status
from payment_service.tables import COLUMNS, attempts_json, payment_of

CONTEXT: Final = "payments"
TOPIC: Final = "payments.events"
_AT_HAND: Final = 10_000
"""Payments kept in memory between intent and answer, at most."""

_LOAD: Final = f"""
SELECT {COLUMNS} FROM payments WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY order_id FOR UPDATE
"""
_INSERT: Final = """
INSERT INTO payments (order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts,
                      created_at, updated_at, version)
SELECT order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts, created_at, created_at, 1
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:amounts AS bigint[]),
            CAST(:currencies AS text[]), CAST(:methods AS text[]), CAST(:reserved_untils AS timestamptz[]),
            CAST(:attempts AS jsonb[]), CAST(:created_ats AS timestamptz[]))
    AS new (order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts, created_at)
ORDER BY order_id ON CONFLICT DO NOTHING
"""
_UPDATE: Final = """
UPDATE payments SET
    status = new.status, captured_minor = new.captured_minor, refunded_minor = new.refunded_minor,
    provider_reference = new.provider_reference, decline_code = new.decline_code, decline_reason = new.decline_reason,
    attempts = new.attempts, unknown_steps = new.unknown_steps, next_try_at = new.next_try_at,
    is_start_told = new.is_start_told, is_void_requested = new.is_void_requested, is_voiding = new.is_voiding,
    version = payments.version + 1, updated_at = :now
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:versions AS integer[]), CAST(:statuses AS text[]),
            CAST(:captured AS bigint[]), CAST(:refunded AS bigint[]), CAST(:provider_references AS text[]),
            CAST(:decline_codes AS text[]), CAST(:decline_reasons AS text[]), CAST(:attempts AS jsonb[]),
            CAST(:unknown_steps AS integer[]), CAST(:next_try_ats AS timestamptz[]), CAST(:start_told AS boolean[]),
            CAST(:void_requested AS boolean[]), CAST(:voiding AS boolean[]))
    AS new (order_id, version, status, captured_minor, refunded_minor, provider_reference, decline_code,
            decline_reason, attempts, unknown_steps, next_try_at, is_start_told, is_void_requested, is_voiding)
WHERE payments.order_id = new.order_id AND payments.version = new.version
"""
_OUTCOMES: Final[dict[type[Fact], str]] = {
    domain.PaymentStarted: "started",
    domain.PaymentCaptured: "captured",
    domain.PaymentDeclined: "declined",
    domain.PaymentUnavailable: "unavailable",
    domain.PaymentUnknown: "unknown",
    domain.PaymentClosed: "closed",
    domain.PaymentVoided: "voided",
    domain.PaymentAttention: "attention",
}


@dataclass(slots=True)
class Loaded:
    """The payments of some orders, as they are and as they become; `traces` are those that the orders came in with."""

    at: datetime
    payments: dict[str, Payment]
    traces: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)


class Payments:
    """Loads and saves payments, with the calls and the facts that follow from what became of them."""

    def __init__(self, calls: Calls[Any]) -> None:
        self._calls = calls
        self._at_hand: dict[str, Payment] = {}
        outcomes = counter(CONTEXT, "total", "Payments by what became of them", "outcome")
        self._counted = {fact: outcomes.labels(outcome) for fact, outcome in _OUTCOMES.items()}

    def load(self, connection: Connection, order_ids: Sequence[str]) -> Loaded:
        """The payments of these orders, locked in order of their ids."""
        for order_id in order_ids:
            self._at_hand.pop(order_id, None)
        return Loaded(clock.now(), _read(connection, order_ids))

    def load_written(self, connection: Connection, order_ids: Sequence[str]) -> Loaded:
        """The same, without reading what this process has just written and not seen change.

        Their versions are compared when they are saved; who was mistaken gets LostUpdate, and reads the next time.
        """
        known = {each: payment for each in order_ids if (payment := self._at_hand.pop(each, None)) is not None}
        unknown = [order_id for order_id in order_ids if order_id not in known]
        return Loaded(clock.now(), known | _read(connection, unknown))

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed, the calls that were decided, and what is to be told, in this order.

        `loaded.calls` are then the calls to dispatch after the commit. Raises LostUpdate when somebody was quicker.
        """
        changed = [payment for payment in loaded.payments.values() if payment.is_changed]
        _insert(connection, [payment for payment in changed if payment.version == 0])
        _update(connection, [payment for payment in changed if payment.version > 0], loaded.at)
        failpoint("payments.save.after_rows")
        loaded.calls = self._calls.add(connection, _wanted_calls(loaded))
        failpoint("payments.save.after_calls")
        tell(connection, _told(loaded), CONTEXT)

    def committed(self, loaded: Loaded) -> None:
        """After the commit: count what became of payments, and make the calls that were decided."""
        if len(self._at_hand) > _AT_HAND:
            self._at_hand.clear()
        for payment in loaded.payments.values():
            if payment.is_changed:
                for fact in payment.facts:
                    self._counted[type(fact)].inc()
                payment.note_saved()
                if payment.version == 1 and payment.status is Status.SENDING:
                    self._at_hand[payment.order_id] = payment
        self._calls.dispatch(loaded.calls)


def _read(connection: Connection, order_ids: Sequence[str]) -> dict[str, Payment]:
    if not order_ids:
        return {}
    return {row.order_id: payment_of(row) for row in rows_of(connection, _LOAD, order_ids=order_ids)}


def _insert(connection: Connection, payments: Sequence[Payment]) -> None:
    if not payments:
        return
    change_all(
        connection,
        _INSERT,
        len(payments),
        "payments",
        order_ids=[payment.order_id for payment in payments],
        ids=[payment.id for payment in payments],
        statuses=[payment.status for payment in payments],
        amounts=[payment.amount_minor for payment in payments],
        currencies=[payment.currency for payment in payments],
        methods=[payment.payment_method for payment in payments],
        reserved_untils=[payment.reserved_until for payment in payments],
        attempts=[attempts_json(payment) for payment in payments],
        created_ats=[payment.created_at for payment in payments],
    )


def _update(connection: Connection, payments: Sequence[Payment], at: datetime) -> None:
    if not payments:
        return
    change_all(
        connection,
        _UPDATE,
        len(payments),
        "payments",
        now=at,
        order_ids=[payment.order_id for payment in payments],
        versions=[payment.version for payment in payments],
        statuses=[payment.status for payment in payments],
        captured=[payment.captured_minor for payment in payments],
        refunded=[payment.refunded_minor for payment in payments],
        provider_references=[payment.provider_reference for payment in payments],
        decline_codes=[payment.decline_code for payment in payments],
        decline_reasons=[payment.decline_reason for payment in payments],
        attempts=[attempts_json(payment) for payment in payments],
        unknown_steps=[payment.unknown_steps for payment in payments],
        next_try_ats=[payment.next_try_at for payment in payments],
        start_told=[payment.is_start_told for payment in payments],
        void_requested=[payment.is_void_requested for payment in payments],
        voiding=[payment.is_voiding for payment in payments],
    )


def _wanted_calls(loaded: Loaded) -> list[NewCall]:
    return [
        wire.call_of(question, payment, loaded.traces.get(payment.order_id, ""))
        for payment in loaded.payments.values()
        for question in payment.wanted_calls
    ]


def _told(loaded: Loaded) -> list[Outgoing]:
    return [
        Outgoing(
            TOPIC,
            payment.order_id,
            wire.fact_to_proto(fact),
            payment.version + payment.is_changed,
            loaded.traces.get(payment.order_id, ""),
        )
        for payment in loaded.payments.values()
        for fact in payment.facts
    ]
