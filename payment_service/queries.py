"""What may be read of payments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import rows_of
from chassis.errors import NotFound
from payment_service.domain import Difference, OurEntry, Payment, Status
from payment_service.tables import COLUMNS, payment_of


class PaymentNotFound(NotFound):
    """There is no such payment."""


class Shown(NamedTuple):
    """A payment, and when it last changed."""

    payment: Payment
    updated_at: datetime


class FoundDifference(NamedTuple):
    """A difference between the provider's books and ours, and since when it is known."""

    difference: Difference
    found_at: datetime


_BOOKS: Final = """
SELECT id, order_id, status, captured_minor, refunded_minor, currency, is_voiding OR EXISTS (
    SELECT 1 FROM refunds WHERE refunds.order_id = payments.order_id AND refunds.status IN ('SENDING', 'UNKNOWN')
    ) OR (status IN ('VOIDED', 'PARTIALLY_REFUNDED', 'REFUNDED') AND EXISTS (
    SELECT 1 FROM audit WHERE audit.subject = CAST(payments.id AS text) AND audit.action = 'settle_payment'
        AND audit.details ->> 'outcome' = 'GIVEN_BACK')) AS is_giving_back
FROM payments
"""
_GET: Final = f"SELECT {COLUMNS} FROM payments WHERE id = CAST(:id AS uuid)"
_LIST: Final = f"SELECT {COLUMNS} FROM payments WHERE order_id = CAST(:order_id AS uuid) ORDER BY created_at DESC"


def get_payment(connection: Connection, payment_id: str) -> Shown:
    """One payment. Raises PaymentNotFound."""
    rows = rows_of(connection, _GET, id=payment_id)
    if not rows:
        raise PaymentNotFound(f"there is no payment {payment_id}")
    return Shown(payment_of(rows[0]), rows[0].updated_at)


def list_payments(connection: Connection, order_id: str) -> list[Shown]:
    """The payments of an order, newest first; an order has one, once its money was asked for."""
    return [Shown(payment_of(row), row.updated_at) for row in rows_of(connection, _LIST, order_id=order_id)]


def order_of(connection: Connection, payment_id: str) -> str:
    """The order of a payment. Raises PaymentNotFound."""
    rows = rows_of(connection, "SELECT order_id FROM payments WHERE id = CAST(:id AS uuid)", id=payment_id)
    if not rows:
        raise PaymentNotFound(f"there is no payment {payment_id}")
    return str(rows[0].order_id)


def entries(connection: Connection, after: str, until: str, limit: int) -> list[OurEntry]:
    """The first payments above `after`, up to `until`, in the order of their ids, as our ledger has them."""
    sql = f"{_BOOKS} WHERE id > CAST(:after AS uuid) AND id <= CAST(:until AS uuid) ORDER BY id LIMIT :limit"
    return [_entry_of(row) for row in rows_of(connection, sql, after=after, until=until, limit=limit)]


def entries_of(connection: Connection, payment_ids: Sequence[str]) -> list[OurEntry]:
    """The same of these payments."""
    return [
        _entry_of(row) for row in rows_of(connection, f"{_BOOKS} WHERE id = ANY(CAST(:ids AS uuid[]))", ids=payment_ids)
    ]


def _entry_of(row: Any) -> OurEntry:
    return OurEntry(
        row.id,
        row.order_id,
        Status(row.status),
        row.captured_minor,
        row.refunded_minor,
        row.currency,
        row.is_giving_back,
    )


def list_differences(connection: Connection, limit: int) -> list[FoundDifference]:
    """What the provider's books and ours do not agree about, newest first."""
    sql = (
        "SELECT payment_id, order_id, detail, found_at FROM differences WHERE is_told"
        " ORDER BY found_at DESC, payment_id LIMIT :limit"
    )
    return [
        FoundDifference(Difference(row.payment_id, row.order_id, row.detail), row.found_at)
        for row in rows_of(connection, sql, limit=limit)
    ]


def differing(connection: Connection, limit: int) -> list[str]:
    """Payments noted to differ, told or not, the longest known first."""
    rows = rows_of(connection, "SELECT payment_id FROM differences ORDER BY found_at LIMIT :limit", limit=limit)
    return [row.payment_id for row in rows]


def count_differences(connection: Connection) -> int:
    """How many payments the books do not agree about."""
    return int(rows_of(connection, "SELECT count(*) AS payments FROM differences WHERE is_told")[0].payments)


def unknown_by_age(connection: Connection, bounds: Sequence[int]) -> list[int]:
    """How many unknown payments are younger than each of `bounds` (seconds, rising), then those that are older."""
    sql = """
    SELECT width_bucket(CAST(EXTRACT(epoch FROM now() - created_at) AS float8), CAST(:bounds AS float8[])) AS place,
        count(*) AS payments
    FROM payments WHERE next_try_at IS NOT NULL GROUP BY 1
    """
    found = {row.place: row.payments for row in rows_of(connection, sql, bounds=list(bounds))}
    return [found.get(place, 0) for place in range(len(bounds) + 1)]
