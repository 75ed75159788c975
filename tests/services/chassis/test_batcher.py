"""Commands in batches: answered each for itself, halved when one breaks the rest, bounded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection

from chassis.batcher import Batcher, Writer
from chassis.database import Database, rows_of, run_sql
from chassis.errors import NotFound, Overloaded


@dataclass(frozen=True)
class Note:
    text: str


def _note(connection: Connection, notes: Sequence[Note]) -> Sequence[str | NotFound]:
    for note in notes:
        if note.text == "broken":
            run_sql(connection, "SELECT 1 / 0")
    sql = "INSERT INTO notes SELECT * FROM unnest(CAST(:texts AS text[]))"
    run_sql(connection, sql, texts=[note.text for note in notes if note.text != "refused"])
    return [NotFound("no") if note.text == "refused" else f"noted {note.text}" for note in notes]


def _texts(database: Database) -> list[str]:
    return [row.text for row in database.read(lambda c: rows_of(c, "SELECT text FROM notes ORDER BY text"))]


async def _submit_all(writer: Writer, texts: Sequence[str]) -> list[object]:
    writer.start()
    answers = await asyncio.gather(*(writer.submit(Note(text)) for text in texts), return_exceptions=True)
    await asyncio.to_thread(writer.stop)
    return list(answers)


@pytest.fixture
def writer(database: Database) -> Writer:
    database.write(lambda connection: run_sql(connection, "CREATE TABLE notes (text text)"))
    return Writer(database, {Note: _note}, lambda: None, context="orders", name="notes")


def test_each_command_gets_its_own_answer(database: Database, writer: Writer) -> None:
    answers = asyncio.run(_submit_all(writer, ["a", "refused", "b"]))

    assert answers[0] == "noted a"
    assert isinstance(answers[1], NotFound)
    assert answers[2] == "noted b"
    assert _texts(database) == ["a", "b"]


def test_a_command_that_breaks_its_batch_takes_nobody_with_it(database: Database, writer: Writer) -> None:
    answers = asyncio.run(_submit_all(writer, [*"abcdefgh", "broken", *"ijk"]))

    assert [isinstance(answer, Exception) for answer in answers] == [False] * 8 + [True] + [False] * 3
    assert _texts(database) == list("abcdefghijk")


def test_more_than_can_wait_is_refused_at_once() -> None:
    async def ask() -> None:
        batcher = Batcher[int, int](list, context="orders", name="bounded", max_queue=2)
        with pytest.raises(Overloaded):
            batcher.submit_many([1, 2, 3])

    asyncio.run(ask())


def test_what_waits_when_it_is_stopped_is_worked_off() -> None:
    async def ask() -> list[int]:
        batcher = Batcher[int, int](lambda numbers: [n * 2 for n in numbers], context="orders", name="stopping")
        futures = batcher.submit_many(list(range(500)))
        batcher.start()
        await asyncio.to_thread(batcher.stop)
        return await asyncio.gather(*futures)

    assert asyncio.run(ask()) == [n * 2 for n in range(500)]


def test_questions_whose_askers_have_gone_are_not_worked_on() -> None:
    asked: list[int] = []

    def answer(numbers: Sequence[int]) -> list[int]:
        asked.extend(numbers)
        return list(numbers)

    async def ask() -> list[int]:
        batcher = Batcher(answer, context="orders", name="questions", only_awaited=True)
        futures = batcher.submit_many(list(range(500)))
        for future in futures[:450]:
            future.cancel()
        batcher.start()
        answers = await asyncio.gather(*futures[450:])
        await asyncio.to_thread(batcher.stop)
        return answers

    assert asyncio.run(ask()) == list(range(450, 500)) == asked


def test_commands_are_worked_off_whoever_has_gone() -> None:
    """A client that goes away cancels nobody, and nothing: its order may be asked for again."""
    done: list[int] = []

    def work(numbers: Sequence[int]) -> list[int]:
        done.extend(numbers)
        return list(numbers)

    async def ask() -> None:
        batcher = Batcher(work, context="orders", name="commands")
        for future in batcher.submit_many([1, 2, 3]):
            future.cancel()
        batcher.start()
        await asyncio.to_thread(batcher.stop)

    asyncio.run(ask())
    assert done == [1, 2, 3]


def test_batches_of_a_trickle_are_apart_and_one_alone_goes_at_once() -> None:
    batches: list[list[int]] = []

    def work(commands: Sequence[int]) -> list[int]:
        batches.append(list(commands))
        return list(commands)

    async def scenario() -> list[int]:
        batcher = Batcher[int, int](work, context="orders", name="paced", pace_seconds=60.0)
        batcher.start()
        first = await batcher.submit(1)
        others = batcher.submit_many([2]) + batcher.submit_many([3])
        await asyncio.to_thread(batcher.stop)  # a stop waits for no pace
        return [first, *await asyncio.gather(*others)]

    assert asyncio.run(scenario()) == [1, 2, 3]
    assert batches == [[1], [2, 3]]
