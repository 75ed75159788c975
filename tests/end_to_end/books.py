"""What the databases say of the orders of one run: the invariants of the promises, as queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Stack

TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED")

_OPEN = f"SELECT count(*) FROM orders.orders WHERE status NOT IN {TERMINAL}"
_STATUSES = "SELECT status, count(*) FROM orders.orders WHERE id = ANY(CAST(:ids AS uuid[])) GROUP BY status"
_BROKEN = {
    "I1 the ledger is the balance": """
        SELECT sku, on_hand, reserved, moved.* FROM inventory.stock LEFT JOIN LATERAL (
            SELECT COALESCE(sum(on_hand_delta), 0) AS moved_on_hand, COALESCE(sum(reserved_delta), 0) AS moved_reserved
            FROM inventory.movements WHERE movements.sku = stock.sku) AS moved ON true
        WHERE on_hand <> moved_on_hand OR reserved <> moved_reserved OR reserved > on_hand OR reserved < 0
    """,
    "I2 what is reserved is what reservations hold": """
        SELECT sku, reserved, held FROM inventory.stock LEFT JOIN (
            SELECT line.key AS sku, sum(CAST(line.value AS bigint) - COALESCE(missing, 0)) AS held
            FROM inventory.reservations CROSS JOIN LATERAL jsonb_each_text(lines) AS line
            LEFT JOIN inventory.waiting ON reservation_id = reservations.id AND waiting.sku = line.key
            WHERE status IN ('HELD', 'WAITING') GROUP BY line.key) AS holding USING (sku)
        WHERE reserved <> COALESCE(held, 0)
    """,
    "I3 the provider has exactly the money of completed orders": """
        SELECT orders.id, status, total_minor - refunded_minor AS due, taken FROM orders.orders LEFT JOIN LATERAL (
            SELECT COALESCE(sum(CASE outcome WHEN 'captured' THEN amount_minor WHEN 'voided' THEN -amount_minor
                                           WHEN 'refunded' THEN -amount_minor END), 0)
                AS taken
            FROM payments_simulator.entries WHERE entries.order_id = orders.id) AS money ON true
        WHERE taken <> CASE status WHEN 'COMPLETED' THEN total_minor - refunded_minor ELSE 0 END
    """,
    "I4 nobody is charged twice": """
        SELECT order_id, count(*) FROM payments_simulator.entries WHERE kind = 'charge' AND outcome = 'captured'
        GROUP BY order_id HAVING count(*) > 1
    """,
    "I7 the timeline has every version, and ends where the order stands": """
        SELECT id, status, version, steps.* FROM orders.orders LEFT JOIN LATERAL (
            SELECT count(*) AS rows, max(timeline.version) AS last,
                   (array_agg(to_status ORDER BY timeline.version DESC))[1] AS stands
            FROM orders.timeline WHERE order_id = orders.id) AS steps ON true
        WHERE rows <> version OR last <> version OR stands <> status
    """,
    "I12 nothing is parked": "SELECT consumer, type, reason, error FROM inventory.dead_letters UNION ALL"
    " SELECT consumer, type, reason, error FROM orders.dead_letters UNION ALL"
    " SELECT consumer, type, reason, error FROM payments.dead_letters",
}


class Books:
    """Reads all schemas as their owner does; nobody else may."""

    def __init__(self, stack: Stack) -> None:
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"))

    def open_orders(self) -> int:
        """How many orders have not ended."""
        with self._reading() as connection:
            return int(connection.execute(text(_OPEN)).scalar_one())

    def statuses(self, order_ids: list[str]) -> dict[str, int]:
        """How many of these orders stand where."""
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(text(_STATUSES), {"ids": order_ids})}

    def broken(self) -> dict[str, list[Any]]:
        """Every invariant that does not hold, with what breaks it; empty when all is well."""
        with self._reading() as connection:
            found = {name: connection.execute(text(sql)).all() for name, sql in _BROKEN.items()}
        return {name: list(rows[:10]) for name, rows in found.items() if rows}

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection
