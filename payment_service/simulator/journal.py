"""The simulated provider's books: charges, voids and refunds, kept across restarts so that a second one can be seen."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import Database, Row, rows_of
from chassis.failpoints import failpoint
from payment_service.simulator.refunds import Refund, RefundLookUp, answer_refunds
from payment_service.simulator.scenarios import Chances, Plan, depends_on_earlier_requests, plan_of

SCHEMA: Final = "payments_simulator"


class Charge(NamedTuple):
    """Take money; the same key takes it once."""

    key: str
    order_id: str
    amount_minor: int
    currency: str
    payment_method: str


class LookUp(NamedTuple):
    """What became of the charge under a key."""

    key: str


class Void(NamedTuple):
    """Take back what was charged under a key."""

    key: str


Request = Charge | LookUp | Void | Refund | RefundLookUp


class Told(NamedTuple):
    """What the books say to a request: captured, declined, voided, refunded, refused, not_found or error, and how it is
    answered."""

    state: str
    plan: Plan
    amount_minor: int = 0
    currency: str = ""
    code: str = ""
    reason: str = ""


_AT_ONCE: Final = Plan()
_NOT_FOUND: Final = Told("not_found", _AT_ONCE)
_IN_PROGRESS: Final = Told("error", _AT_ONCE, reason="a request with this key is being processed")
_REUSED: Final = Told("error", _AT_ONCE, reason="the key was used for another request")
_SERVER_ERROR: Final = "internal server error"


class Journal:
    """Answers requests in batches, each batch in one transaction that is committed before anybody is answered."""

    def __init__(self, database: Database, chances: Chances) -> None:
        self._database = database
        self._chances = chances

    def answer(self, requests: Sequence[Request]) -> list[Told]:
        """What each request is told, in their order. Raises DatabaseAway: then nobody knows what was written."""
        told = self._database.write(lambda connection: self._answer(connection, requests))
        failpoint("payments_simulator.after_commit")
        return told

    def _answer(self, connection: Connection, requests: Sequence[Request]) -> list[Told]:
        charges = [request for request in requests if isinstance(request, Charge)]
        told: dict[Request, Told] = self._charge(connection, charges) if charges else {}
        if len(charges) < len(requests):
            _void(connection, [request.key for request in requests if isinstance(request, Void)])
            others = [request for request in requests if isinstance(request, LookUp | Void)]
            entries = _entries(connection, [request.key for request in others])
            told |= {request: _found(entries.get(request.key)) for request in others}
            told |= _refund(connection, [each for each in requests if isinstance(each, Refund | RefundLookUp)])
        failpoint("payments_simulator.before_commit")
        return [told[request] for request in requests]

    def _charge(self, connection: Connection, charges: Sequence[Charge]) -> dict[Request, Told]:
        numbers = _count(connection, [c.key for c in charges if depends_on_earlier_requests(c.payment_method)])
        planned = {
            charge: plan_of(
                charge.payment_method, request_number=numbers.get(charge.key, 1), key=charge.key, chances=self._chances
            )
            for charge in charges
        }
        written = _enter(connection, [(charge, plan) for charge, plan in planned.items() if plan.effect])
        known = _entries(connection, [charge.key for charge in planned if charge.key not in written])
        return {
            charge: _told_first(charge, plan)
            if charge.key in written
            else _told_again(charge, plan, known.get(charge.key))
            for charge, plan in planned.items()
        }


def _told_first(charge: Charge, plan: Plan) -> Told:
    return Told(plan.effect, plan, charge.amount_minor, charge.currency, plan.decline_code, plan.decline_reason)


def _told_again(charge: Charge, plan: Plan, entry: Row | None) -> Told:
    """Rule: a key is honoured; whatever the plan says, it is told what was told before."""
    if entry is None:
        return Told("error", plan, reason=_SERVER_ERROR)
    if (entry.amount_minor, entry.currency) != (charge.amount_minor, charge.currency):
        return _REUSED
    if not entry.is_effective:
        return _IN_PROGRESS
    return Told(entry.outcome, _AT_ONCE, entry.amount_minor, entry.currency, entry.decline_code, entry.decline_reason)


def _refund(connection: Connection, requests: Sequence[Refund | RefundLookUp]) -> dict[Request, Told]:
    if not requests:
        return {}
    answered = zip(requests, answer_refunds(connection, requests), strict=True)
    return {
        request: _REUSED
        if given.state == "reused"
        else Told(given.state, _AT_ONCE, given.amount_minor, given.currency, reason=given.reason)
        for request, given in answered
    }


def _found(entry: Row | None) -> Told:
    if entry is None or not entry.is_effective:
        return _NOT_FOUND
    state = "voided" if entry.is_voided else entry.outcome
    return Told(state, _AT_ONCE, entry.amount_minor, entry.currency, entry.decline_code, entry.decline_reason)


def _enter(connection: Connection, charges: Sequence[tuple[Charge, Plan]]) -> set[str]:
    """Write charges; the keys of those that were not there before."""
    if not charges:
        return set()
    rows = rows_of(
        connection,
        "INSERT INTO entries (key, kind, order_id, amount_minor, currency, payment_method, outcome, decline_code,"
        " decline_reason, effective_at)"
        " SELECT key, 'charge', order_id, amount_minor, currency, payment_method, outcome, decline_code,"
        " decline_reason, clock_timestamp() + make_interval(secs => after_ms / 1000.0)"
        " FROM unnest(CAST(:keys AS uuid[]), CAST(:orders AS uuid[]), CAST(:amounts AS bigint[]),"
        " CAST(:currencies AS text[]), CAST(:methods AS text[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]),"
        " CAST(:reasons AS text[]), CAST(:afters AS bigint[]))"
        " AS asked (key, order_id, amount_minor, currency, payment_method, outcome, decline_code, decline_reason,"
        " after_ms) ORDER BY key ON CONFLICT DO NOTHING RETURNING key",
        keys=[charge.key for charge, _ in charges],
        orders=[charge.order_id for charge, _ in charges],
        amounts=[charge.amount_minor for charge, _ in charges],
        currencies=[charge.currency for charge, _ in charges],
        methods=[charge.payment_method for charge, _ in charges],
        outcomes=[plan.effect for _, plan in charges],
        codes=[plan.decline_code for _, plan in charges],
        reasons=[plan.decline_reason for _, plan in charges],
        afters=[plan.effect_after_ms for _, plan in charges],
    )
    return {row.key for row in rows}


def _entries(connection: Connection, keys: Sequence[str]) -> dict[str, Row]:
    if not keys:
        return {}
    rows = rows_of(
        connection,
        "SELECT charge.key, charge.amount_minor, charge.currency, charge.outcome, charge.decline_code,"
        " charge.decline_reason, charge.effective_at <= clock_timestamp() AS is_effective,"
        " void.key IS NOT NULL AS is_voided"
        " FROM entries AS charge LEFT JOIN entries AS void ON void.key = charge.key AND void.kind = 'void'"
        " WHERE charge.key = ANY(CAST(:keys AS uuid[])) AND charge.kind = 'charge'",
        keys=list(keys),
    )
    return {row.key: row for row in rows}


def _void(connection: Connection, keys: Sequence[str]) -> None:
    """Take back what was captured, once."""
    if keys:
        rows_of(
            connection,
            "INSERT INTO entries (key, kind, order_id, amount_minor, currency, payment_method, outcome)"
            " SELECT key, 'void', order_id, amount_minor, currency, payment_method, 'voided' FROM entries"
            " WHERE key = ANY(CAST(:keys AS uuid[])) AND kind = 'charge' AND outcome = 'captured'"
            " AND effective_at <= clock_timestamp() ON CONFLICT DO NOTHING RETURNING key",
            keys=list(keys),
        )


def _count(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """Which request under its key each of these is."""
    if not keys:
        return {}
    rows = rows_of(
        connection,
        "INSERT INTO requests AS earlier (key, times)"
        " SELECT key, count(*) FROM unnest(CAST(:keys AS uuid[])) AS asked (key) GROUP BY key ORDER BY key"
        " ON CONFLICT (key) DO UPDATE SET times = earlier.times + excluded.times"
        " RETURNING key, times",
        keys=list(keys),
    )
    return {row.key: row.times for row in rows}
