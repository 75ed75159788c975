"""What may be read of payments."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import rows_of
from chassis.errors import NotFound
from payment_service.domain import Payment
from payment_service.tables import COLUMNS, payment_of


class PaymentNotFound(NotFound):
    """There is no such payment."""


class Shown(NamedTuple):
    """A payment, and when it last changed."""

    payment: Payment
    updated_at: datetime


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
