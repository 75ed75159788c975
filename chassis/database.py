"""One context's Postgres: transactions that are tried again when the connection was lost."""

import asyncio
import random
import time
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import orjson
import psycopg
from psycopg import Connection as Driver
from psycopg import Cursor
from psycopg.types.json import set_json_loads
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.arrays import ArrayDumper
from chassis.errors import Unavailable

T = TypeVar("T")
_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]
Row: TypeAlias = Any
"""A row of a statement: a named tuple of its columns."""

_SESSION: Final = {
    # A holder of locks that stopped must not stop the others (protocols: sessions).
    "idle_in_transaction_session_timeout": "5000",
    "lock_timeout": "2000",
    "statement_timeout": "15000",
    # What lists of other lengths would change about a plan is less than what planning each time costs.
    "plan_cache_mode": "force_generic_plan",
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


def run_sql(connection: Connection, sql: str, **parameters: object) -> Cursor[Any]:
    """Run one statement with named parameters (`:name`); lists are arrays for `unnest`. Raises psycopg.Error.

    Past SQLAlchemy's execution, which costs more than the driver's own and gives these statements nothing; the
    connection, its transaction and the pool are SQLAlchemy's.
    """
    driver: Driver[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver.execute(_in_the_drivers_words(sql), parameters)


def rows_of(connection: Connection, sql: str, **parameters: object) -> Sequence[Row]:
    """All rows of one statement with named parameters. Raises psycopg.Error."""
    cursor = run_sql(connection, sql, **parameters)
    make = _row_type(sql, tuple([column.name for column in cursor.description or ()]))._make
    return list(map(make, cursor.fetchall()))


def change_all(connection: Connection, sql: str, wanted: int, what: str, **parameters: object) -> None:
    """Run a compare-and-set of `wanted` rows. Raises LostUpdate.

    Rule (protocols: events in): a compare-and-set that misses rolls the whole batch back. `what` the rows are, in the
    plural.
    """
    changed = run_sql(connection, sql, **parameters).rowcount
    if changed != wanted:
        raise LostUpdate(f"{wanted - changed} {what} were changed by somebody else")


@lru_cache(maxsize=1024)
def _in_the_drivers_words(sql: str) -> bytes:
    return str(text(sql).compile(dialect=_DIALECT)).encode()


@lru_cache(maxsize=1024)
def _row_type(_sql: str, columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)


def _cause(error: Exception) -> BaseException | None:
    """The driver's error: raised as it is by our statements, wrapped by SQLAlchemy when it connects or commits."""
    return error.orig if isinstance(error, DBAPIError) else error


def is_worth_another_try(error: Exception) -> bool:
    """Whether a transaction that ended in `error` may succeed when it is run again from the start."""
    if isinstance(error, LostUpdate | PoolTimeout):
        return True
    cause = _cause(error)
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate is None:
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return cause.sqlstate in _AGAIN or cause.sqlstate.startswith("08")


def is_connection_lost(error: Exception) -> bool:
    """Whether the database, not the transaction, is to blame: away, restarting, or demoted to read-only."""
    return (
        is_worth_another_try(error)
        and not isinstance(error, LostUpdate)
        and getattr(_cause(error), "sqlstate", None) not in ("40001", "40P01", "55P03")
    )


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
            except (psycopg.Error, DBAPIError, PoolTimeout, LostUpdate) as error:
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
            run_sql(connection, "SELECT 1")

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
