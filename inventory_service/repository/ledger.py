"""Adds the movements up and compares them with the balances."""

from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql

# Within a SKU movements are numbered and committed in one order, under the lock of its stock row; so what was added
# up once need not be read again, and one snapshot shows balances and movements of the same moment.
_COMPARE: Final = """
WITH summed AS (
    SELECT stock.sku, stock.on_hand, stock.reserved,
           COALESCE(fresh.last_id, sums.movement_id, 0) AS movement_id,
           COALESCE(sums.on_hand, 0) + COALESCE(fresh.on_hand, 0) AS ledger_on_hand,
           COALESCE(sums.reserved, 0) + COALESCE(fresh.reserved, 0) AS ledger_reserved,
           fresh.last_id IS NOT NULL AS has_grown
    FROM stock
    LEFT JOIN ledger_sums AS sums ON sums.sku = stock.sku
    LEFT JOIN LATERAL (
        SELECT CAST(sum(on_hand_delta) AS bigint) AS on_hand, CAST(sum(reserved_delta) AS bigint) AS reserved,
               max(id) AS last_id
        FROM movements WHERE movements.sku = stock.sku AND movements.id > COALESCE(sums.movement_id, 0)
    ) AS fresh ON true
), noted AS (
    INSERT INTO ledger_sums (sku, movement_id, on_hand, reserved)
    SELECT sku, movement_id, ledger_on_hand, ledger_reserved FROM summed WHERE has_grown
    ON CONFLICT (sku) DO UPDATE
    SET movement_id = excluded.movement_id, on_hand = excluded.on_hand, reserved = excluded.reserved
)
SELECT sku, abs(on_hand - ledger_on_hand) + abs(reserved - ledger_reserved) AS difference
FROM summed WHERE (on_hand, reserved) <> (ledger_on_hand, ledger_reserved) ORDER BY sku
"""


_HELD: Final = """
SELECT sku, abs(reserved - COALESCE(held, 0)) AS difference FROM stock LEFT JOIN (
    SELECT line.key AS sku, CAST(sum(CAST(line.value AS bigint) - COALESCE(missing, 0)) AS bigint) AS held
    FROM reservations CROSS JOIN LATERAL jsonb_each_text(lines) AS line
    LEFT JOIN waiting ON reservation_id = reservations.id AND waiting.sku = line.key
    WHERE status IN ('HELD', 'WAITING') GROUP BY line.key) AS holding USING (sku)
WHERE reserved <> COALESCE(held, 0) ORDER BY sku
"""


def held_differences(connection: Connection) -> dict[str, int]:
    """By how many pieces what is reserved and what reservations hold differ, by SKU; there must be none.

    Reads all reservations, for no index may stand on their status: seldom asked.
    """
    run_sql(connection, "SET LOCAL statement_timeout = '300s'")
    return {row.sku: int(row.difference) for row in rows_of(connection, _HELD)}


def ledger_differences(connection: Connection) -> dict[str, int]:
    """By how many pieces balances and movements differ, by SKU; there must be none."""
    run_sql(connection, "SET LOCAL statement_timeout = '60s'")
    return {row.sku: int(row.difference) for row in rows_of(connection, _COMPARE)}
