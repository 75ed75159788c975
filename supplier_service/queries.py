"""What may be read of supplier orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis import ids
from chassis.database import rows_of
from chassis.errors import NotFound, ValidationFailed
from supplier_service.domain import SupplierOrder
from supplier_service.tables import COLUMNS, supplier_order_of


class SupplierOrderNotFound(NotFound):
    """There is no such supplier order."""


class Shown(NamedTuple):
    """A supplier order, and when it last changed."""

    supplier_order: SupplierOrder
    updated_at: datetime


_GET: Final = f"SELECT {COLUMNS} FROM supplier_orders WHERE id = CAST(:id AS uuid)"
_LIST: Final = f"""
SELECT {COLUMNS} FROM supplier_orders
WHERE (CAST(:order_id AS uuid) IS NULL OR order_id = CAST(:order_id AS uuid))
  AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid))
ORDER BY id DESC LIMIT :size
"""
_NAMED: Final = """
SELECT named.supplier, named.reference, found.order_id, found.id
FROM unnest(CAST(:suppliers AS text[]), CAST(:named AS text[]), CAST(:ids AS uuid[]))
    AS named (supplier, reference, id)
JOIN supplier_orders AS found ON found.id = named.id AND found.supplier = named.supplier
UNION ALL
SELECT named.supplier, named.reference, found.order_id, found.id
FROM unnest(CAST(:suppliers AS text[]), CAST(:named AS text[]), CAST(:ids AS uuid[]))
    AS named (supplier, reference, id)
JOIN supplier_orders AS found ON found.supplier = named.supplier AND found.reference = named.reference
WHERE found.reference <> ''
"""
_OPEN: Final = """
SELECT status, count(*) AS supplier_orders, COALESCE(max(EXTRACT(epoch FROM now() - created_at)), 0) AS oldest
FROM supplier_orders WHERE status IN ('REQUESTED', 'ACCEPTED') GROUP BY status
"""


class Waits(NamedTuple):
    """How many supplier orders are open in one status, and how long the oldest has been, in seconds."""

    supplier_orders: int
    oldest: float


def get_supplier_order(connection: Connection, supplier_order_id: str) -> Shown:
    """One supplier order. Raises SupplierOrderNotFound."""
    rows = rows_of(connection, _GET, id=supplier_order_id)
    if not rows:
        raise SupplierOrderNotFound(f"there is no supplier order {supplier_order_id}")
    return Shown(supplier_order_of(rows[0]), rows[0].updated_at)


def list_supplier_orders(
    connection: Connection, order_id: str, page_size: int, page_token: str
) -> tuple[list[Shown], str]:
    """A page of supplier orders, newest first, and where the next one starts; `order_id` may be empty."""
    if page_token and not ids.is_id(page_token):
        raise ValidationFailed("the request is not valid", fields={"page_token": ["is not a token of this list"]})
    rows = rows_of(connection, _LIST, order_id=order_id or None, before=page_token or None, size=page_size + 1)
    page = [Shown(supplier_order_of(row), row.updated_at) for row in rows[:page_size]]
    return page, page[-1].supplier_order.id if len(rows) > page_size else ""


def named_supplier_orders(
    connection: Connection, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Order and id of the supplier orders that suppliers name, by supplier and by our id or their reference.

    A supplier can only name its own.
    """
    rows = rows_of(
        connection,
        _NAMED,
        suppliers=[supplier for supplier, _ in names],
        named=[reference for _, reference in names],
        ids=[reference if ids.is_id(reference) else None for _, reference in names],
    )
    return {(row.supplier, row.reference): (row.order_id, row.id) for row in rows}


def open_supplier_orders(connection: Connection) -> dict[str, Waits]:
    """What goods are still expected of, by status."""
    return {row.status: Waits(row.supplier_orders, float(row.oldest)) for row in rows_of(connection, _OPEN)}
