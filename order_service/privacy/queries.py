"""What may be read of customers who are forgotten."""

from typing import Final

from sqlalchemy import Connection

from chassis.database import Row, rows_of
from order_service.privacy.domain import Forgetting, ForgettingStatus

COLUMNS: Final = "pseudonym, customer_id, status, orders, asked_at, forgotten_at"

_OF: Final = f"SELECT {COLUMNS} FROM forgotten WHERE pseudonym IN (:customer_id, pseudonym_of(:customer_id))"
_LEFT: Final = """
SELECT EXISTS (SELECT FROM orders WHERE customer_id = :customer_id)
    OR EXISTS (SELECT FROM import_orders WHERE customer_id = :customer_id)
    OR EXISTS (SELECT FROM import_rows WHERE customer_id = :customer_id) AS is_left
"""
_UNFINISHED: Final = """
SELECT count(*) AS orders FROM orders JOIN unfinished ON order_id = id WHERE customer_id = :customer_id
"""


def forgetting_of(row: Row) -> Forgetting:
    """A row of COLUMNS."""
    return Forgetting(row[0], row[1], ForgettingStatus(row[2]), *row[3:6])


def standing(connection: Connection, customer_id: str) -> Forgetting | None:
    """How far this customer is forgotten, by their own name or its pseudonym; None where there is (again) all to do."""
    for row in rows_of(connection, _OF, customer_id=customer_id):
        found = forgetting_of(row)
        is_to_begin = found.is_over and found.pseudonym != customer_id and is_left(connection, customer_id)
        return None if is_to_begin else found
    return None


def is_left(connection: Connection, customer_id: str) -> bool:
    """Whether anything still bears the customer's name."""
    return bool(rows_of(connection, _LEFT, customer_id=customer_id)[0].is_left)


def unfinished_orders(connection: Connection, customer_id: str | None) -> int:
    """Orders of the customer that have not ended."""
    return int(rows_of(connection, _UNFINISHED, customer_id=customer_id)[0].orders)


def under_way(connection: Connection) -> list[Forgetting]:
    """Customers who are being forgotten, those first who were asked for first."""
    rows = rows_of(connection, f"SELECT {COLUMNS} FROM forgotten WHERE status = 'FORGETTING' ORDER BY asked_at")
    return [forgetting_of(row) for row in rows]
