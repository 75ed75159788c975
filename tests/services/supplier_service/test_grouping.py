"""The simulated suppliers' books under many questions at once."""

import asyncio
from collections.abc import Iterator, Sequence

import psycopg
import pytest

from chassis import ids
from chassis.database import Database, rows_of
from supplier_service.simulator.journal import SCHEMA, Asked, Journal
from supplier_service.simulator.scenarios import CALM, Plan, Reply


@pytest.fixture
def books(urls: dict[str, str]) -> Iterator[Database]:
    database = Database(urls[SCHEMA], schema=SCHEMA, application_name="tests")
    yield database
    database.close()


def _asked(key: str) -> Asked:
    return Asked(key, "simulated", "SKU", 1, "ok")


def _reserved(journal: Journal, asked: Sequence[Asked]) -> list[Plan | BaseException]:
    async def reserve_all() -> list[Plan | BaseException]:
        return await asyncio.gather(*map(journal.reserve, asked), return_exceptions=True)

    return asyncio.run(reserve_all())


def test_questions_that_come_together_share_a_commit(books: Database) -> None:
    told = _reserved(Journal(books, CALM), [_asked(ids.new_id()) for _ in range(40)])

    assert told == [Plan(Reply.ACCEPTED)] * 40
    sql = "SELECT count(*) AS entries, count(DISTINCT CAST(xmin AS text)) AS commits FROM entries"
    row = books.read(lambda connection: rows_of(connection, sql))[0]
    assert row.entries == 40
    assert row.commits <= 2


def test_one_that_fails_leaves_its_neighbours_their_answers(books: Database) -> None:
    told = _reserved(Journal(books, CALM), [_asked(ids.new_id()), _asked("no id"), _asked(ids.new_id())])

    assert told[0] == told[2] == Plan(Reply.ACCEPTED)
    assert isinstance(told[1], psycopg.Error)


def test_a_key_that_is_asked_for_twice_at_once_is_taken_on_once(books: Database) -> None:
    key = ids.new_id()

    assert _reserved(Journal(books, CALM), [_asked(key)] * 5) == [Plan(Reply.ACCEPTED)] * 5

    sql = "SELECT requests FROM entries"
    assert [row.requests for row in books.read(lambda connection: rows_of(connection, sql))] == [5]
