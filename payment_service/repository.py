"""All SQL that writes payments: rows locked in order of their order ids, written back in one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from chassis import clock
from chassis.calls import Call, Calls, NewCall
from chassis.database import change_all, rows_of, run_sql
from chassis.envelope import Outgoing
from chassis.failpoints import failpoint
from chassis.metrics import counter
from chassis.outbox import tell
from payment_service import domain, wire
from payment_service.domain import Difference, Fact, Payment, Refund, Status
from payment_service.tables import COLUMNS, CONTEXT, REFUND_COLUMNS, attempts_json, payment_of, refund_of

TOPIC: Final = "payments.events"
_AT_HAND: Final = 10_000
"""Payments kept in memory between intent and answer, at most."""

_LOAD: Final = f"""
SELECT {COLUMNS} FROM payments WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY order_id FOR UPDATE
"""
_INSERT: Final = """
INSERT INTO payments (order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts,
                      owner_mark, created_at, updated_at, version)
SELECT order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts, owner_mark,
       created_at, created_at, 1
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:amounts AS bigint[]),
            CAST(:currencies AS text[]), CAST(:methods AS text[]), CAST(:reserved_untils AS timestamptz[]),
            CAST(:attempts AS jsonb[]), CAST(:owner_marks AS bytea[]), CAST(:created_ats AS timestamptz[]))
    AS new (order_id, id, status, amount_minor, currency, payment_method, reserved_until, attempts, owner_mark,
            created_at)
ORDER BY order_id ON CONFLICT DO NOTHING
"""
_UPDATE: Final = """
UPDATE payments SET
    status = new.status, captured_minor = new.captured_minor, refunded_minor = new.refunded_minor,
    provider_reference = new.provider_reference, decline_code = new.decline_code, decline_reason = new.decline_reason,
    attempts = new.attempts, unknown_steps = new.unknown_steps, next_try_at = new.next_try_at,
    is_start_told = new.is_start_told, is_void_requested = new.is_void_requested, is_voiding = new.is_voiding,
    needs_operator = new.needs_operator, version = payments.version + 1, updated_at = :now
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:versions AS integer[]), CAST(:statuses AS text[]),
            CAST(:captured AS bigint[]), CAST(:refunded AS bigint[]), CAST(:provider_references AS text[]),
            CAST(:decline_codes AS text[]), CAST(:decline_reasons AS text[]), CAST(:attempts AS jsonb[]),
            CAST(:unknown_steps AS integer[]), CAST(:next_try_ats AS timestamptz[]), CAST(:start_told AS boolean[]),
            CAST(:void_requested AS boolean[]), CAST(:voiding AS boolean[]), CAST(:operators AS boolean[]))
    AS new (order_id, version, status, captured_minor, refunded_minor, provider_reference, decline_code,
            decline_reason, attempts, unknown_steps, next_try_at, is_start_told, is_void_requested, is_voiding,
            needs_operator)
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
    domain.RefundSucceeded: "refunded",
    domain.RefundFailed: "refund_failed",
    domain.RefundDelayed: "refund_delayed",
}
REFUNDS_OF: Final = "refunds of "
"""Begins a key that names the refunds of an order's payment beside it; behind every id in order."""
_LOAD_REFUNDS: Final = f"""
SELECT {REFUND_COLUMNS} FROM refunds WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY created_at, id
"""
_WRITE_REFUNDS: Final = """
INSERT INTO refunds (order_id, id, amount_minor, status, created_at, sent_at, not_sent, errors, refusals,
                     unknown_steps, attention, next_try_at, reason)
SELECT * FROM unnest(CAST(:order_ids AS uuid[]), CAST(:ids AS uuid[]), CAST(:amounts AS bigint[]),
                     CAST(:statuses AS text[]), CAST(:created_ats AS timestamptz[]), CAST(:sent_ats AS timestamptz[]),
                     CAST(:not_sent AS integer[]), CAST(:errors AS integer[]), CAST(:refusals AS integer[]),
                     CAST(:unknown_steps AS integer[]), CAST(:attentions AS text[]),
                     CAST(:next_try_ats AS timestamptz[]), CAST(:reasons AS text[]))
ON CONFLICT (order_id, id) DO UPDATE SET
    status = excluded.status, sent_at = excluded.sent_at, not_sent = excluded.not_sent, errors = excluded.errors,
    refusals = excluded.refusals, unknown_steps = excluded.unknown_steps, attention = excluded.attention,
    next_try_at = excluded.next_try_at, reason = excluded.reason
"""


@dataclass(slots=True)
class Loaded:
    """The payments of some orders, as they are and as they become; `traces` are those that the orders came in with."""

    at: datetime
    payments: dict[str, Payment]
    refunds: dict[str, Refund] = field(default_factory=dict)
    """By their own ids, where they were asked for."""
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

    def load_touched(self, connection: Connection, keys: Sequence[str]) -> Loaded:
        """What requests touch, by their sorted keys: payments, and the refunds that a key names with REFUNDS_OF."""
        loaded = self.load(connection, [key for key in keys if not key.startswith(REFUNDS_OF)])
        refunded = [key.removeprefix(REFUNDS_OF) for key in keys if key.startswith(REFUNDS_OF)]
        self.add_refunds(connection, loaded, refunded)
        return loaded

    def add_refunds(self, connection: Connection, loaded: Loaded, order_ids: Sequence[str]) -> None:
        """The refunds of these orders; every change of one raises its payment's version, which is compared."""
        wanted = [order_id for order_id in order_ids if order_id in loaded.payments]
        if wanted:
            rows = rows_of(connection, _LOAD_REFUNDS, order_ids=wanted)
            loaded.refunds |= {row.id: refund_of(row, loaded.payments[row.order_id]) for row in rows}

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed, the calls that were decided, and what is to be told, in this order.

        `loaded.calls` are then the calls to dispatch after the commit. Raises LostUpdate when somebody was quicker.
        """
        changed = [payment for payment in loaded.payments.values() if payment.is_changed]
        _insert(connection, [payment for payment in changed if payment.version == 0])
        _update(connection, [payment for payment in changed if payment.version > 0], loaded.at)
        _write_refunds(connection, [each for each in loaded.refunds.values() if each.is_new or each.is_changed])
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
        owner_marks=[payment.owner_mark for payment in payments],
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
        operators=[payment.needs_operator for payment in payments],
    )


def _write_refunds(connection: Connection, refunds: Sequence[Refund]) -> None:
    if not refunds:
        return
    change_all(
        connection,
        _WRITE_REFUNDS,
        len(refunds),
        "refunds",
        order_ids=[each.payment.order_id for each in refunds],
        ids=[each.id for each in refunds],
        amounts=[each.amount_minor for each in refunds],
        statuses=[each.status for each in refunds],
        created_ats=[each.created_at for each in refunds],
        sent_ats=[each.sent_at for each in refunds],
        not_sent=[each.not_sent for each in refunds],
        errors=[each.errors for each in refunds],
        refusals=[each.refusals for each in refunds],
        unknown_steps=[each.unknown_steps for each in refunds],
        attentions=[each.attention for each in refunds],
        next_try_ats=[each.next_try_at for each in refunds],
        reasons=[each.reason for each in refunds],
    )


def _wanted_calls(loaded: Loaded) -> list[NewCall]:
    wanted = [
        wire.call_of(question, payment, loaded.traces.get(payment.order_id, ""))
        for payment in loaded.payments.values()
        for question in payment.wanted_calls
    ]
    if loaded.refunds:
        refunds = (each for each in loaded.refunds.values() if each.wants_call)
        wanted += [wire.refund_call_of(each, loaded.traces.get(each.payment.order_id, "")) for each in refunds]
    return wanted


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


def forget_differences(connection: Connection, looked_at: Sequence[str], found: Sequence[str]) -> None:
    """Of the payments that were looked at, only those of `found` differ any more."""
    run_sql(
        connection,
        "DELETE FROM differences WHERE payment_id = ANY(CAST(:looked_at AS uuid[]))"
        " AND NOT payment_id = ANY(CAST(:found AS uuid[]))",
        looked_at=looked_at,
        found=found,
    )


def keep_differences(connection: Connection, found: Sequence[Difference], at: datetime) -> None:
    """Write down what differs, since when."""
    run_sql(
        connection,
        "INSERT INTO differences (payment_id, order_id, detail, found_at)"
        " SELECT payment_id, order_id, detail, :at"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS text[]), CAST(:details AS text[]))"
        " AS found (payment_id, order_id, detail) ORDER BY payment_id"
        " ON CONFLICT (payment_id) DO UPDATE SET detail = excluded.detail",
        at=at,
        ids=[difference.payment_id for difference in found],
        orders=[difference.order_id for difference in found],
        details=[difference.detail for difference in found],
    )


def tell_differences(connection: Connection, grace_seconds: float) -> list[Difference]:
    """Those that have lasted long enough, and are told now for the first time."""
    rows = rows_of(
        connection,
        "UPDATE differences SET is_told = true"
        " WHERE NOT is_told AND found_at <= clock_timestamp() - make_interval(secs => :grace)"
        " RETURNING payment_id, order_id, detail",
        grace=grace_seconds,
    )
    return [Difference(row.payment_id, row.order_id, row.detail) for row in rows]
