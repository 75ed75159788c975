"""The simulated provider's books added up by key, as a provider's settlement report would show them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from chassis.database import Database, Row, rows_of

_SUMS: Final = """
SELECT charge.key, CASE WHEN charge.outcome = 'captured' THEN charge.amount_minor ELSE 0 END AS captured_minor,
    COALESCE(void.amount_minor, 0) + (
        SELECT CAST(COALESCE(sum(refund.amount_minor), 0) AS bigint) FROM entries AS refund
        WHERE refund.charge_key = charge.key AND refund.kind = 'refund') AS returned_minor, charge.currency
FROM entries AS charge LEFT JOIN entries AS void ON void.key = charge.key AND void.kind = 'void'
WHERE charge.kind = 'charge' AND charge.effective_at <= clock_timestamp()
"""


class Ledger:
    """Reads the books; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, after: str, until: str, limit: int) -> Sequence[Row]:
        """The first keys above `after`, up to `until`, in order: key, captured_minor, returned_minor, currency."""
        sql = (
            f"{_SUMS} AND charge.key > CAST(:after AS uuid) AND charge.key <= CAST(:until AS uuid)"
            " ORDER BY charge.key LIMIT :limit"
        )
        return self._read(sql, after=after, until=until, limit=limit)

    def of(self, keys: Sequence[str]) -> Sequence[Row]:
        """The same of these keys."""
        return self._read(f"{_SUMS} AND charge.key = ANY(CAST(:keys AS uuid[]))", keys=list(keys))

    def _read(self, sql: str, **parameters: object) -> Sequence[Row]:
        def work(connection: Connection) -> Sequence[Row]:
            return rows_of(connection, sql, **parameters)

        return self._database.read(work)
