"""Refunds in the simulated provider's books: once for each key, and never more than was charged."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import Row, rows_of, run_sql


class Refund(NamedTuple):
    """Give money of a charge back; the same key gives it back once."""

    key: str
    charge_key: str
    amount_minor: int
    currency: str


class RefundLookUp(NamedTuple):
    """What became of the refund under a key."""

    key: str


class Given(NamedTuple):
    """What the books say of a refund: refunded, refused, reused (its key, for another refund) or not_found."""

    state: str
    amount_minor: int = 0
    currency: str = ""
    reason: str = ""


_NOT_FOUND: Final = Given("not_found")
_REUSED: Final = Given("reused", reason="the key was used for another request")
_CHARGES: Final = """
SELECT key, order_id, amount_minor, currency, payment_method,
       outcome = 'captured' AND effective_at <= clock_timestamp() AND NOT EXISTS (
           SELECT 1 FROM entries AS void WHERE void.key = charge.key AND void.kind = 'void') AS is_captured
FROM entries AS charge WHERE key = ANY(CAST(:keys AS uuid[])) AND kind = 'charge' ORDER BY key FOR UPDATE
"""
_SUMS: Final = """
SELECT charge_key, sum(amount_minor) AS refunded FROM entries
WHERE charge_key = ANY(CAST(:keys AS uuid[])) AND kind = 'refund' GROUP BY charge_key
"""
_KNOWN: Final = """
SELECT key, charge_key, amount_minor, currency FROM entries WHERE key = ANY(CAST(:keys AS uuid[])) AND kind = 'refund'
"""
_INSERT: Final = """
INSERT INTO entries (key, kind, order_id, amount_minor, currency, payment_method, outcome, charge_key)
SELECT key, 'refund', order_id, amount_minor, currency, payment_method, 'refunded', charge_key
FROM unnest(CAST(:keys AS uuid[]), CAST(:orders AS uuid[]), CAST(:amounts AS bigint[]), CAST(:currencies AS text[]),
            CAST(:methods AS text[]), CAST(:charges AS uuid[]))
    AS new (key, order_id, amount_minor, currency, payment_method, charge_key)
"""


def answer_refunds(connection: Connection, requests: Sequence[Refund | RefundLookUp]) -> list[Given]:
    """What each request is told, in their order; the charges stay locked, so that two refunds see each other."""
    asked = sorted({request.charge_key for request in requests if isinstance(request, Refund)})
    charges = {row.key: row for row in rows_of(connection, _CHARGES, keys=asked)} if asked else {}
    sums = {row.charge_key: int(row.refunded) for row in rows_of(connection, _SUMS, keys=asked)} if asked else {}
    keys = [request.key for request in requests]
    known = {row.key: Refund(*tuple(row)) for row in rows_of(connection, _KNOWN, keys=keys)}
    new: list[tuple[Refund, Row]] = []
    given: list[Given] = []
    for request in requests:
        told = _told(request, known.get(request.key), charges, sums)
        if isinstance(request, Refund) and told.state == "refunded" and request.key not in known:
            known[request.key] = request
            sums[request.charge_key] = sums.get(request.charge_key, 0) + request.amount_minor
            new.append((request, charges[request.charge_key]))
        given.append(told)
    _enter(connection, new)
    return given


def _told(request: Refund | RefundLookUp, known: Refund | None, charges: dict[str, Row], sums: dict[str, int]) -> Given:
    if known is not None:
        is_same = isinstance(request, RefundLookUp) or request == known
        return Given("refunded", known.amount_minor, known.currency) if is_same else _REUSED
    if isinstance(request, RefundLookUp):
        return _NOT_FOUND
    charge = charges.get(request.charge_key)
    if charge is None or not charge.is_captured or charge.currency != request.currency:
        return Given("refused", reason="there is no such charge to be given back")
    if sums.get(request.charge_key, 0) + request.amount_minor > charge.amount_minor:
        return Given("refused", reason="more than was charged")
    return Given("refunded", request.amount_minor, request.currency)


def _enter(connection: Connection, refunds: Sequence[tuple[Refund, Row]]) -> None:
    if refunds:
        run_sql(
            connection,
            _INSERT,
            keys=[refund.key for refund, _ in refunds],
            orders=[charge.order_id for _, charge in refunds],
            amounts=[refund.amount_minor for refund, _ in refunds],
            currencies=[refund.currency for refund, _ in refunds],
            methods=[charge.payment_method for _, charge in refunds],
            charges=[refund.charge_key for refund, _ in refunds],
        )
