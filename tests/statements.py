"""Doing something just before a certain statement: how two transactions are brought to meet in the worst moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import event

from chassis.database import Database


@contextmanager
def before_statement(database: Database, part: str, action: Callable[[], None]) -> Iterator[None]:
    """Do something, once, just before the first statement on this database that contains `part`."""
    waiting = [action]

    class Watched(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            if part in query.decode() and waiting:
                waiting.pop()()
            return super().execute(query, *arguments, **options)

    def watch(connection: psycopg.Connection[Any], *_rest: object) -> None:
        connection.cursor_factory = Watched

    def forget(connection: psycopg.Connection[Any], *_rest: object) -> None:
        connection.cursor_factory = psycopg.Cursor

    event.listen(database.engine, "checkout", watch)
    event.listen(database.engine, "checkin", forget)
    try:
        yield
    finally:
        event.remove(database.engine, "checkout", watch)
        event.remove(database.engine, "checkin", forget)
    assert not waiting, f"there was no statement with {part!r}"
