"""Reads and writes what was recorded of receipts and adjustments, by SKU and key."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql
from inventory_service.domain import ChangeRequest, StockChange

_COLUMNS: Final = "id, sku, quantity_delta, reason, idempotency_key, fingerprint, on_hand, reserved, at"
_RECORDED: Final = f"""
SELECT {_COLUMNS} FROM stock_changes
WHERE (sku, idempotency_key) IN (SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:keys AS text[])))
"""
_INSERT: Final = f"""
INSERT INTO stock_changes ({_COLUMNS})
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:deltas AS bigint[]), CAST(:reasons AS text[]),
                     CAST(:keys AS text[]), CAST(:fingerprints AS bytea[]), CAST(:on_hand AS bigint[]),
                     CAST(:reserved AS bigint[]), CAST(:ats AS timestamptz[]))
"""


def recorded_changes(connection: Connection, requests: Iterable[ChangeRequest]) -> dict[tuple[str, str], StockChange]:
    """What was recorded under the keys of these requests; ask when their stock rows are locked."""
    names = sorted({(request.sku, request.idempotency_key) for request in requests})
    rows = rows_of(connection, _RECORDED, skus=[sku for sku, _ in names], keys=[key for _, key in names])
    return {(row.sku, row.idempotency_key): StockChange(*tuple(row)) for row in rows}


def insert_changes(connection: Connection, changes: Sequence[StockChange]) -> None:
    """Record changes; that none of their keys is taken is known since their stock rows are locked."""
    if changes:
        run_sql(
            connection,
            _INSERT,
            ids=[change.id for change in changes],
            skus=[change.sku for change in changes],
            deltas=[change.quantity_delta for change in changes],
            reasons=[change.reason for change in changes],
            keys=[change.idempotency_key for change in changes],
            fingerprints=[change.fingerprint for change in changes],
            on_hand=[change.on_hand for change in changes],
            reserved=[change.reserved for change in changes],
            ats=[change.at for change in changes],
        )
