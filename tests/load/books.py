"""What the system's own books say after a scenario: all has ended, all adds up, nothing was oversold at any instant."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Stack
from tests.chaos import invariants
from tests.chaos.invariants import Broken
from tests.waiting import until

END_SECONDS: Final = 120.0

_UNFINISHED: Final = "SELECT count(*) AS orders FROM orders.unfinished"
_UNTOLD: Final = " UNION ALL ".join(
    f"SELECT '{schema}' AS schema, count(*) AS facts FROM {schema}.outbox HAVING count(*) > 0"
    for schema in ("orders", "inventory", "suppliers", "payments")
)
_EVERY_INSTANT: Final = """
SELECT sku, id AS movement, available FROM (
    SELECT sku, id, sum(on_hand_delta - reserved_delta) OVER (PARTITION BY sku ORDER BY id) AS available
    FROM inventory.movements) AS steps
WHERE available < 0
"""
"""A SKU's movements are numbered under the lock of its balance, so this is every instant there was."""
_ENDS: Final = """
SELECT status, failure_code, count(*) AS orders FROM orders.orders
WHERE idempotency_key >= :run AND idempotency_key < :beyond GROUP BY status, failure_code
"""
OVERSOLD: Final = "available is never negative, after any movement"
_SHELF: Final = "SELECT sku, on_hand, reserved FROM inventory.stock WHERE sku LIKE :like ORDER BY sku"


class Books:
    """Reads all schemas as their owner does; nobody else may."""

    def __init__(self, stack: Stack) -> None:
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"))

    def rows(self, sql: str, **parameters: object) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(text(sql), parameters).all()

    def unfinished(self, seconds: float = END_SECONDS) -> int:
        """Orders that have not ended when that time is over; none as soon as none is left, and all of it is told."""
        until(lambda: not self._open() and not self.rows(_UNTOLD), seconds=seconds, every=0.2)
        return self._open()

    def _open(self) -> int:
        return int(self.rows(_UNFINISHED)[0].orders)

    def broken(self) -> Broken:
        """Every invariant that does not hold, with what breaks it."""
        with self._engine.connect() as connection:
            return broken(connection)

    def ends(self, run: str) -> Mapping[tuple[str, str], int]:
        """How many of a run's orders came to which end, and why."""
        rows = self.rows(_ENDS, run=f"{run}.", beyond=f"{run}/")
        return Counter({(row.status, row.failure_code or ""): row.orders for row in rows})

    def shelf(self, begins: str) -> Mapping[str, tuple[int, int]]:
        """On hand and reserved of the products whose SKU begins so."""
        return {row.sku: (row.on_hand, row.reserved) for row in self.rows(_SHELF, like=f"{begins}%")}

    def close(self) -> None:
        self._engine.dispose()


def broken(connection: Connection) -> Broken:
    """The invariants that hold when all is quiet, and the one of every instant before."""
    oversold = invariants.rows_of(connection, _EVERY_INSTANT)
    return invariants.broken(connection) | ({OVERSOLD: oversold} if oversold else {})
