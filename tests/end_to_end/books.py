"""What the databases of the system under test say of its orders: whether the invariants hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from deploy.local import Stack
from tests.chaos import invariants
from tests.chaos.invariants import Broken


class Books:
    """Reads all schemas as their owner does; nobody else may."""

    def __init__(self, stack: Stack) -> None:
        url = make_url(stack.infrastructure.database_url)
        self._engine = create_engine(url.set(drivername="postgresql+psycopg"))

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
