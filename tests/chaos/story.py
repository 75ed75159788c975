"""Everything that is known of one order, for whoever has to find out what broke it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from chassis import ids
from tests.chaos.invariants import Broken, rows_of

MOST_STORIES: Final = 3

_PARTS: Final[Mapping[str, str]] = {
    "order": "SELECT status, previous_status, payment_status, payment_method, stock_policy, version, attention,"
    " next_try_at, failure_code, reserved_until, created_at, updated_at FROM orders.orders"
    " WHERE id = CAST(:id AS uuid)",
    "timeline": "SELECT at, version, from_status, to_status, actor, reason, trace_id FROM orders.timeline"
    " WHERE order_id = CAST(:id AS uuid) ORDER BY version",
    "reservation": "SELECT status, lines, shortages, expires_at FROM inventory.reservations"
    " WHERE id = CAST(:id AS uuid)",
    "movement": "SELECT at, sku, kind, on_hand_delta, reserved_delta FROM inventory.movements"
    " WHERE order_id = CAST(:id AS uuid) ORDER BY id",
    "payment": "SELECT * FROM payments.payments WHERE order_id = CAST(:id AS uuid)",
    "call to the provider": "SELECT * FROM payments.calls WHERE subject = :id",
    "provider's journal": "SELECT * FROM payments_simulator.entries WHERE order_id = CAST(:id AS uuid)"
    " ORDER BY effective_at",
    "supplier order": "SELECT * FROM suppliers.supplier_orders WHERE order_id = CAST(:id AS uuid)",
    **{
        f"letter in {schema}": "SELECT consumer, topic, type, reason, error, attempts, next_try_at, parked_at"
        f" FROM {schema}.dead_letters WHERE key = :id ORDER BY parked_at"
        for schema in ("orders", "inventory", "payments", "suppliers")
    },
}


def stories(connection: Connection, broken: Broken) -> Iterator[str]:
    """What broke, and the lives of the first orders that are named in it."""
    for name, rows in broken.items():
        yield f"BROKEN {name}"
        yield from (f"    {told(row)}" for row in rows)
    named = [str(row["order_id"]) for rows in broken.values() for row in rows if row.get("order_id")]
    for order_id in filter(ids.is_id, list(dict.fromkeys(named))[:MOST_STORIES]):
        yield from story(connection, order_id)


def story(connection: Connection, order_id: str) -> Iterator[str]:
    yield f"order {order_id}"
    for part, sql in _PARTS.items():
        for row in rows_of(connection, sql, most=50, id=order_id):
            yield f"    {part}: {told(row)}"


def told(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
