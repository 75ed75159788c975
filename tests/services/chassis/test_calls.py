"""Calls to the outside: bounded, recorded in batches, taken over when their caller died."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection

from chassis.calls import Again, Call, Calls, Done, NewCall, Verdict
from chassis.database import Database, rows_of, run_sql
from tests.waiting import until


class Outside:
    """The other party: answers at once, unless told to wait."""

    def __init__(self) -> None:
        self.asked: list[Call] = []
        self.running = 0
        self.most_at_once = 0
        self.seconds = 0.0
        self.failures = 0

    async def ask(self, call: Call) -> str:
        self.asked.append(call)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        return f"yes to {call.key}"


class Books:
    """Where outcomes are written down."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, Any]] = []
        self.slow: list[str] = []
        self.batches: list[int] = []
        self.unrecordable = ""

    def record(self, _connection: Connection, answered: Sequence[tuple[Call, Any]]) -> Sequence[Verdict]:
        self.batches.append(len(answered))
        if any(call.key == self.unrecordable for call, _ in answered):
            raise ValueError("a bug of ours")
        self.outcomes += [(call.key, outcome) for call, outcome in answered]
        return [Again(0.1) if isinstance(outcome, Exception) else Done() for _, outcome in answered]

    def note_slow(self, _connection: Connection, calls: Sequence[Call]) -> None:
        self.slow += [call.key for call in calls]


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def engine(database: Database, outside: Outside, books: Books) -> Iterator[Callable[..., Calls[str]]]:
    started: list[Calls[str]] = []

    def make(**options: Any) -> Calls[str]:
        settings: dict[str, Any] = {"in_flight": 8, "lease_seconds": 10.0} | options
        calls = Calls(
            database, context="payments", name="asking", caller=outside.ask, record=books.record,
            recorded=lambda: None, on_slow=books.note_slow, **settings,
        )  # fmt: skip
        calls.start()
        started.append(calls)
        return calls

    yield make
    for calls in started:
        calls.stop()


def _new(count: int, due_in_seconds: float = 0.0) -> list[NewCall]:
    return [
        NewCall("charge", f"key-{number}", "payment", {"amount": number}, due_in_seconds) for number in range(count)
    ]


def _rows(database: Database) -> list[Any]:
    return list(database.read(lambda connection: rows_of(connection, "SELECT * FROM calls")))


def _decide(database: Database, calls: Calls[str], new: Sequence[NewCall]) -> None:
    calls.dispatch(database.write(lambda connection: calls.add(connection, new)))


def test_calls_are_made_after_the_commit_bounded_and_recorded_in_batches(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    outside.seconds = 0.01
    _decide(database, engine(), _new(50))

    assert until(lambda: len(books.outcomes) == 50)
    assert sorted(books.outcomes) == sorted((f"key-{n}", f"yes to key-{n}") for n in range(50))
    assert outside.most_at_once <= 8
    assert len(books.batches) < 50
    assert until(lambda: _rows(database) == [])


def test_a_call_that_was_decided_twice_is_made_once(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    calls = engine()
    outside.seconds = 0.05
    _decide(database, calls, _new(1))
    _decide(database, calls, _new(1))

    assert until(lambda: books.outcomes and not _rows(database))
    assert len(outside.asked) == 1


def test_a_call_whose_caller_died_is_taken_over_and_says_so(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    """Taken for a fresh one, it would be charged a second time."""
    dead = Calls(
        database, context="payments", name="asking", caller=outside.ask, record=books.record, recorded=lambda: None,
        in_flight=8, lease_seconds=0.3,
    )  # fmt: skip
    database.write(lambda connection: dead.add(connection, _new(1)))
    dead.stop()
    database.write(
        lambda c: run_sql(c, "UPDATE calls SET leased_until = now() + interval '0.3 s', lease_owner = 'dead'")
    )
    engine()

    assert until(lambda: len(outside.asked) == 1)
    assert outside.asked[0].taken_over


def test_a_call_that_is_due_later_is_not_a_takeover(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    _decide(database, engine(), _new(1, due_in_seconds=0.2))

    assert until(lambda: len(outside.asked) == 1)
    assert not outside.asked[0].taken_over


def test_a_failed_call_comes_again_as_its_next_attempt(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    outside.failures = 1
    _decide(database, engine(), _new(1))

    assert until(lambda: len(books.outcomes) == 2)
    assert [call.attempt for call in outside.asked] == [1, 2]
    assert isinstance(books.outcomes[0][1], ConnectionError)
    assert not outside.asked[1].taken_over


def test_only_a_call_that_takes_its_time_is_told_as_slow(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    calls = engine(slow_after=0.1)
    _decide(database, calls, _new(1))
    assert until(lambda: len(books.outcomes) == 1)
    assert books.slow == []

    outside.seconds = 0.4
    _decide(database, calls, [NewCall("charge", "slow", "payment", {})])

    assert until(lambda: len(books.outcomes) == 2)
    assert books.slow == ["slow"]


def test_outcomes_of_a_trickle_are_recorded_together(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    calls = engine(pace_seconds=1.0)
    _decide(database, calls, _new(1))
    assert until(lambda: books.batches == [1])

    for name in ("a", "b", "c"):
        _decide(database, calls, [NewCall("charge", name, "payment", {})])

    assert until(lambda: len(books.outcomes) == 4)
    assert books.batches == [1, 3]


def test_answers_of_slow_calls_are_recorded_together(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    """Told as slow, they came late anyway: each alone would cost as much as all together."""
    calls = engine(slow_after=0.05, in_flight=40)
    outside.seconds = 0.5
    for number in range(20):
        _decide(database, calls, [NewCall("charge", f"slow-{number}", "payment", {})])

    assert until(lambda: len(books.outcomes) == 20)
    assert len(outside.asked) == 20
    assert len(books.batches) < 10
    assert until(lambda: _rows(database) == [])


def test_of_two_engines_each_due_call_is_made_by_one(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    engine()
    engine()
    _decide(database, engine(), _new(40, due_in_seconds=0.1))

    assert until(lambda: not _rows(database) and len(books.outcomes) >= 40)
    assert len(outside.asked) == 40


def test_an_outcome_that_cannot_be_recorded_does_not_hold_up_its_neighbours(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    books.unrecordable = "key-7"
    outside.seconds = 0.05
    calls = engine(in_flight=20, lease_seconds=1.0)
    _decide(database, calls, _new(20))

    assert until(lambda: len(books.outcomes) == 19)
    assert [row.key for row in _rows(database)] == ["key-7"]
    books.unrecordable = ""

    assert until(lambda: not _rows(database))
    assert outside.asked[-1].taken_over


def test_a_call_that_nobody_needs_any_more_is_not_made(database, engine, outside, books) -> None:  # type: ignore[no-untyped-def]
    calls = engine()
    _decide(database, calls, _new(3, due_in_seconds=0.3))

    database.write(lambda connection: calls.drop(connection, "charge", ["key-0", "key-2"]))

    assert until(lambda: not _rows(database))
    assert [call.key for call in outside.asked] == ["key-1"]


def test_the_outcome_of_a_call_that_was_dropped_under_way_is_recorded_and_nothing_follows(  # type: ignore[no-untyped-def]
    database, engine, outside, books
) -> None:
    outside.seconds, outside.failures = 0.3, 1
    calls = engine()
    _decide(database, calls, _new(1))
    assert until(lambda: outside.running == 1)

    database.write(lambda connection: calls.drop(connection, "charge", ["key-0"]))

    assert until(lambda: len(books.outcomes) == 1)
    assert until(lambda: not _rows(database))
