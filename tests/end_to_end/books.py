"""What the databases say of the orders of the system under test, and whether the invariants hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Stack
from tests.chaos import invariants
from tests.chaos.invariants import Broken

TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED")

_OPEN = f"SELECT count(*) FROM orders.orders WHERE status NOT IN {TERMINAL}"
_STATUSES = "SELECT status, count(*) FROM orders.orders WHERE id = ANY(CAST(:ids AS uuid[])) GROUP BY status"


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

    def broken(self) -> Broken:
        """Every invariant that does not hold, with what breaks it; empty when all is well."""
        with self._reading() as connection:
            return invariants.broken(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection
