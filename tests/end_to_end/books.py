"""What the databases of the system under test say of its orders: their changes, and whether the invariants hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Stack
from tests.chaos import invariants
from tests.chaos.invariants import Broken

_CHANGES = (
    "SELECT CAST(step.order_id AS text), step.version FROM orders.timeline AS step JOIN orders.orders ON id = order_id"
    " WHERE customer_id = :customer_id ORDER BY step.transaction_id, step.order_id, step.version"
)


class Books:
    """Reads all schemas as their owner does; nobody else may."""

    def __init__(self, stack: Stack) -> None:
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"))

    def changes(self, customer_id: str) -> list[tuple[str, int]]:
        """Every visible change of a customer's orders, as order and version, in the order in which it was made."""
        with self._reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(text(_CHANGES), {"customer_id": customer_id})]

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
