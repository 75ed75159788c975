"""One context's Postgres: transactions that are tried again when the connection was lost."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson
from psycopg import Connection as Driver
from psycopg.types.json import set_json_loads
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, CursorResult, Row, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.arrays import ArrayDumper
from chassis.errors import Unavailable

T = TypeVar("T")

_SESSION: Final = {
    # A holder of locks that stopped must not stop the others (protocols: sessions).
    "idle_in_transaction_session_timeout": "5000",
    "lock_timeout": "2000",
    "statement_timeout": "15000",
    # The sizes of our batches mislead the planner of generic plans less than they cost when planned each time.
    "jit": "off",
    "timezone": "UTC",
}
_KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "connect_timeout": 3}
_AGAIN: Final = frozenset({"25006", "40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"})
_PAUSES: Final = (0.02, 0.1, 0.3, 0.6, 1.0)
"""Seconds before each further try of a transaction; about two seconds in all, the time of a quick restart."""


class DatabaseAway(Unavailable):
    """Postgres did not answer within the tries that a transaction has."""


class LostUpdate(Exception):
    """A compare-and-set missed: the whole transaction is rolled back and applied again from the start."""


def demand_all(written: int, wanted: int, what: str) -> None:
    """Rule (protocols: events in): a compare-and-set that misses rolls the whole batch back. Raises LostUpdate.

    `written` rows of the `wanted` were changed; `what` they are, in the plural.
    """
    if written != wanted:
        raise LostUpdate(f"{wanted - written} {what} were changed by somebody else")


@lru_cache(maxsize=1024)
def _statement(sql: str) -> TextClause:
    return text(sql)


def run_sql(connection: Connection, sql: str, **parameters: object) -> CursorResult[Any]:
    """Run one statement with named parameters (`:name`); lists are arrays for `unnest`."""
    return connection.execute(_statement(sql), parameters)


def rows_of(connection: Connection, sql: str, **parameters: object) -> Sequence[Row[Any]]:
    """All rows of one statement with named parameters."""
    return run_sql(connection, sql, **parameters).all()


def is_worth_another_try(error: Exception) -> bool:
    """Whether a transaction that ended in `error` may succeed when it is run again from the start."""
    if isinstance(error, LostUpdate | PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return state in _AGAIN or state.startswith("08")


def is_connection_lost(error: Exception) -> bool:
    """Whether the database, not the transaction, is to blame: away, restarting, or demoted to read-only."""
    return is_worth_another_try(error) and getattr(getattr(error, "orig", None), "sqlstate", None) not in (
        "40001", "40P01", "55P03",
    ) and not isinstance(error, LostUpdate)  # fmt: skip


class Database:
    """Connections to one schema as one role. Blocking; `aread` and `awrite` run the work in a few threads."""

    def __init__(self, url: str, *, schema: str, application_name: str, pool_size: int = 8) -> None:
        self.schema = schema
        options = " ".join(f"-c {name}={value}" for name, value in ({"search_path": schema} | _SESSION).items())
        self.engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=5,
            pool_use_lifo=True,
            hide_parameters=True,  # what customers sent is nobody's business in a log
            connect_args={"options": options, "application_name": application_name, **_KEEPALIVE},
        )
        event.listen(self.engine, "connect", _adapt)
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix=f"{schema}-database")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, again from the start where that may help.

        A commit whose answer was lost is run again, too: every effect has a natural key that makes this harmless.
        Raises DatabaseAway when no try came through.
        """
        for pause in (*_PAUSES, None):
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except (DBAPIError, PoolTimeout, LostUpdate) as error:
                self._weigh(error, pause)
        raise AssertionError("the last try returns or raises")

    read = write

    async def awrite(self, work: Callable[[Connection], T]) -> T:
        """`write` without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.write, work)

    aread = awrite

    def ping(self) -> None:
        """Raises when Postgres does not answer."""
        with self.engine.connect() as connection:
            connection.execute(_statement("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self._threads.shutdown(wait=True)
        self.engine.dispose()

    def _weigh(self, error: Exception, pause: float | None) -> None:
        if not is_worth_another_try(error):
            raise error
        if is_connection_lost(error):
            # The other pooled connections lead to the same server, demoted or gone.
            self.engine.dispose(close=True)
        if pause is None:
            if is_connection_lost(error):
                raise DatabaseAway("the database cannot be reached at the moment") from error
            raise error
        time.sleep(pause * random.uniform(0.5, 1.0))


def _adapt(driver: Driver[Any], _record: object) -> None:
    # Ids are text in Python: a UUID object per id would cost more than the row it came in.
    driver.adapters.register_loader("uuid", TextLoader)
    driver.adapters.register_dumper(list, ArrayDumper)
    set_json_loads(orjson.loads, driver)
