"""What must hold once all is quiet, as queries over all schemas: each returns what breaks it, and nothing is well."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

_TERMINAL: Final = "('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')"
_SCHEMAS: Final = ("orders", "inventory", "suppliers", "payments")

_ON_THE_SCHEDULE: Final = """
    EXISTS (SELECT FROM payments.calls WHERE calls.subject = CAST(orders.id AS text))
    OR EXISTS (SELECT FROM payments.payments WHERE payments.order_id = orders.id AND next_try_at IS NOT NULL)
"""
"""The provider is still to be asked about this order's money."""

_HAS_LETTERS: Final = " OR ".join(
    f"EXISTS (SELECT FROM {schema}.dead_letters WHERE key = CAST(orders.id AS text) AND next_try_at IS NOT NULL)"
    for schema in _SCHEMAS
)

INVARIANTS: Final[Mapping[str, str]] = {
    "I1 a balance is never negative and is the sum of its movements": """
        SELECT sku, on_hand, reserved, moved_on_hand, moved_reserved
        FROM inventory.stock FULL JOIN (
            SELECT sku, sum(on_hand_delta) AS moved_on_hand, sum(reserved_delta) AS moved_reserved
            FROM inventory.movements GROUP BY sku) AS moved USING (sku)
        WHERE COALESCE(on_hand, 0) <> COALESCE(moved_on_hand, 0)
           OR COALESCE(reserved, 0) <> COALESCE(moved_reserved, 0)
           OR on_hand < 0 OR reserved < 0 OR reserved > on_hand
    """,
    "I2 what is reserved is what reservations hold": """
        SELECT sku, reserved, held FROM inventory.stock LEFT JOIN (
            SELECT line.key AS sku, sum(CAST(line.value AS bigint) - COALESCE(missing, 0)) AS held
            FROM inventory.reservations CROSS JOIN LATERAL jsonb_each_text(lines) AS line
            LEFT JOIN inventory.waiting ON reservation_id = reservations.id AND waiting.sku = line.key
            WHERE status IN ('HELD', 'WAITING') GROUP BY line.key) AS holding USING (sku)
        WHERE reserved <> COALESCE(held, 0)
    """,
    "I2 a reservation belongs to a live order or to a caller whose time is not over": f"""
        SELECT reservations.id AS order_id, reservations.status, orders.status AS order_status
        FROM inventory.reservations LEFT JOIN orders.orders USING (id)
        WHERE reservations.status IN ('HELD', 'WAITING') AND CASE holder
            WHEN 'order' THEN orders.status IS NULL OR orders.status IN {_TERMINAL}
            ELSE sweep_at < now() - interval '10 seconds' END
    """,
    "I2 no order holds stock beyond its time before its money is asked for": """
        SELECT id AS order_id, status, reserved_until FROM orders.orders
        WHERE status IN ('PENDING', 'RESERVED') AND reserved_until < now() - interval '10 seconds'
    """,
    "I3 the provider has exactly the money of completed orders": f"""
        SELECT orders.id AS order_id, status, total_minor - refunded_minor AS due, COALESCE(taken, 0) AS taken
        FROM orders.orders LEFT JOIN (
            SELECT order_id, sum(CASE WHEN outcome = 'captured' THEN amount_minor
                                      WHEN outcome IN ('voided', 'refunded') THEN -amount_minor ELSE 0 END) AS taken
            FROM payments_simulator.entries WHERE effective_at <= clock_timestamp() GROUP BY order_id) AS money
            ON money.order_id = orders.id
        WHERE status IN {_TERMINAL} AND NOT ({_ON_THE_SCHEDULE})
          AND COALESCE(taken, 0) <> CASE status WHEN 'COMPLETED' THEN total_minor - refunded_minor ELSE 0 END
    """,
    "I3 a payment still on the schedule names its next try": """
        SELECT order_id, status FROM payments.payments WHERE status = 'UNKNOWN' AND next_try_at IS NULL
    """,
    "I3 nobody was charged for an order whose time was over": """
        SELECT order_id, amount_minor, effective_at FROM payments_simulator.entries
        JOIN orders.orders ON orders.id = order_id
        WHERE kind = 'charge' AND outcome = 'captured' AND orders.status = 'EXPIRED'
    """,
    "I4 nobody is charged twice": """
        SELECT order_id, count(*) AS captures FROM payments_simulator.entries
        WHERE kind = 'charge' AND outcome = 'captured' GROUP BY order_id HAVING count(*) > 1
    """,
    "I5 an order has ended, or says what it waits for and when it is tried next": f"""
        SELECT id AS order_id, status, attention, next_try_at, updated_at FROM orders.orders
        WHERE status NOT IN {_TERMINAL} AND (attention IS NULL OR next_try_at IS NULL) AND NOT ({_HAS_LETTERS})
    """,
    "I6 nothing is left untold": " UNION ALL ".join(
        f"SELECT '{schema}' AS schema, topic, key AS order_id, created_at FROM {schema}.outbox"
        " WHERE created_at < now() - interval '5 seconds'"
        for schema in _SCHEMAS
    ),
    "I6 nothing that could be understood stays parked": " UNION ALL ".join(
        f"SELECT '{schema}' AS schema, key AS order_id, type, reason, error, attempts FROM {schema}.dead_letters"
        " WHERE reason <> 'undecodable' AND key NOT LIKE 'chaos-%'"
        for schema in _SCHEMAS
    ),
    "I7 the timeline has every version, and ends where the order stands": """
        SELECT orders.id AS order_id, status, orders.version, rows, last, stands
        FROM orders.orders LEFT JOIN (
            SELECT order_id, count(*) AS rows, max(version) AS last,
                   (array_agg(to_status ORDER BY version DESC))[1] AS stands
            FROM orders.timeline GROUP BY order_id) AS steps ON steps.order_id = orders.id
        WHERE rows IS DISTINCT FROM orders.version OR last <> orders.version OR stands <> status
    """,
    "I7 each step is in the table and begins where the last one ended": """
        SELECT order_id, version, before, from_status, to_status FROM (
            SELECT order_id, version, from_status, to_status,
                   lag(to_status) OVER (PARTITION BY order_id ORDER BY version) AS before FROM orders.timeline) AS steps
        WHERE from_status IS DISTINCT FROM before
           OR (from_status <> to_status AND NOT orders.is_step(from_status, to_status))
    """,
    "I13 whoever waits for goods has a supplier order that is open": """
        SELECT orders.id AS order_id, status FROM orders.orders
        WHERE status = 'AWAITING_RESTOCK' AND NOT EXISTS (
            SELECT FROM suppliers.supplier_orders
            WHERE order_id = orders.id AND supplier_orders.status IN ('REQUESTED', 'ACCEPTED'))
    """,
    "I13 goods go to the order they were ordered for while it needs them": """
        SELECT ordered.order_id, ordered.sku, given.order_id AS given_to, given.at
        FROM suppliers.supplier_orders AS ordered
        JOIN inventory.movements AS given ON given.sku = ordered.sku AND given.kind = 'reservation'
            AND given.reason = 'given to the waiting order by ' || ordered.id AND given.order_id <> ordered.order_id
        WHERE EXISTS (SELECT FROM inventory.waiting
                      WHERE reservation_id = ordered.order_id AND waiting.sku = ordered.sku)
           OR EXISTS (SELECT FROM inventory.movements AS later
                      WHERE later.sku = ordered.sku AND later.kind = 'reservation'
                        AND later.order_id = ordered.order_id AND later.id > given.id)
    """,
    "I13 nothing is free while somebody waits for it": """
        SELECT sku, on_hand - reserved AS available, count(*) AS waiting
        FROM inventory.waiting JOIN inventory.stock USING (sku) WHERE on_hand > reserved
        GROUP BY sku, on_hand, reserved
    """,
}
"""By what must hold; the number is the one of the promises. What breaks it names the order as `order_id`."""

Broken = dict[str, list[Mapping[str, Any]]]
"""By invariant, what breaks it."""
MOST_ROWS: Final = 10


def broken(connection: Connection) -> Broken:
    """Every invariant that does not hold, with at most ten rows that break it."""
    found = {name: rows_of(connection, sql) for name, sql in INVARIANTS.items()}
    return {name: rows for name, rows in found.items() if rows}


def rows_of(connection: Connection, sql: str, most: int = MOST_ROWS, **parameters: Any) -> list[Mapping[str, Any]]:
    rows: Sequence[Any] = connection.execute(text(sql), parameters).mappings().fetchmany(most)
    return [dict(row) for row in rows]
