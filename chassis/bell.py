"""Rings from one process of a service to another, through Postgres: it means "look", and nobody relies on it.

By NOTIFY, in a transaction of its own: in the writer's, every commit would wait for a lock that all who ring share.
"""

import os
import select
import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import Connection as Driver
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.database import Database, run_sql
from chassis.logs import get_logger

_AGAIN_SECONDS: Final = 1.0
_RING: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(:name, :word)"

log = get_logger(__name__)


class Bell:
    """The bell `<schema>_<name>`: who has started it hears it, on a thread of its own; `heard` returns at once."""

    def __init__(self, database: Database, name: str, heard: Callable[[str], None]) -> None:
        self._database = database
        self._name = f"{database.schema}_{name}"
        self._heard = heard
        self._stopping = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)

    def ring(self, word: str = "") -> None:
        """Everybody who listens hears it, and the word. Raises as `Database.write` does."""
        self._database.write(lambda connection: run_sql(connection, _RING, name=self._name, word=word))

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        os.write(self._stop_writer, b".")
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        for descriptor in (self._stop_reader, self._stop_writer):
            os.close(descriptor)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (psycopg.Error, DBAPIError, PoolTimeout) as error:
                log.warning("nothing is heard of other processes", bell=self._name, error=str(error))
                self._stopping.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._database.engine.connect() as connection:
            driver: Driver[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            connection.detach()  # ours alone: the pool has its number of connections without it
            driver.autocommit = True
            driver.execute(f'LISTEN "{self._name}"'.encode())
            self._heard("")  # for what was rung while nobody listened
            while not self._stopping.is_set():
                # Without an end: a peer that is gone is found by TCP.
                select.select([driver.fileno(), self._stop_reader], [], [])
                for word in {rung.payload for rung in driver.notifies(timeout=0)}:
                    self._heard(word)
