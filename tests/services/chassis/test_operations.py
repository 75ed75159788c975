"""What an operator sees of dead letters, and how they are applied again or given up."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import orjson
import pytest

from chassis import dead_letters, ids
from chassis.consumer import Folding
from chassis.database import Database, rows_of, run_sql
from chassis.errors import ValidationFailed
from chassis.operations.servicer import OperationsServicer
from protos.operations.v1 import operations_pb2 as pb
from tests.services.chassis.ledger import HANDLERS, SCHEMA, Sums, captured, sealed, voided
from tests.waiting import until

_OFFSETS = count(1)
NOBODY: Any = None


@pytest.fixture
def folding(database: Database) -> Any:
    database.write(lambda connection: run_sql(connection, SCHEMA))
    return Folding(database, "payments", "ledger", HANDLERS, Sums())


@pytest.fixture
def servicer(database: Database, folding: Any) -> OperationsServicer:
    return OperationsServicer("payments", database, lambda: {"ledger": folding})


def _ask(answer: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(answer)


def _receive(folding: Any, *outgoing: Any) -> None:
    folding.apply(
        [folding.decode("payments.events", 0, next(_OFFSETS), fact.key.encode(), sealed(fact)) for fact in outgoing]
    )


def _steps(database: Database, key: str) -> str:
    rows = database.read(lambda connection: rows_of(connection, "SELECT steps FROM sums WHERE key = :key", key=key))
    return str(rows[0].steps) if rows else ""


def _list(servicer: OperationsServicer, **wanted: str) -> list[Any]:
    answer = _ask(servicer.ListDeadLetters(pb.ListDeadLettersRequest(**wanted), NOBODY))
    return list(answer.dead_letters)


def _replay(servicer: OperationsServicer, dry_run: bool = False, **wanted: Any) -> Any:
    request = pb.ReplayDeadLettersRequest(service="payments", filter=pb.DeadLetterFilter(**wanted), dry_run=dry_run)
    return _ask(servicer.ReplayDeadLetters(request, NOBODY))


def test_a_letter_shows_what_why_and_where_it_came_from(servicer: OperationsServicer, folding: Any) -> None:
    key = ids.new_id()
    _receive(folding, captured("payments.events", key, -1))

    [letter] = _list(servicer)

    assert (letter.service, letter.consumer_group, letter.topic, letter.key) == (
        "payments", "ledger", "payments.events", key,
    )  # fmt: skip
    assert letter.type == "payments.events.v1.PaymentCaptured"
    assert letter.reason == "error"
    assert letter.error == "ZeroDivisionError: poison"
    assert letter.trace_id == "a" * 32
    assert letter.attempts == 1
    assert letter.HasField("next_try_at")
    assert letter.parked_at.seconds > 0


def test_letters_are_found_by_order_and_by_type_whole_or_its_last_part(
    servicer: OperationsServicer, folding: Any
) -> None:
    first, second = ids.new_id(), ids.new_id()
    _receive(folding, captured("payments.events", first, -1), voided("payments.events", second))

    assert [letter.key for letter in _list(servicer, order_id=second)] == [second]
    assert [letter.key for letter in _list(servicer, type="PaymentVoided")] == [second]
    assert [letter.key for letter in _list(servicer, type="payments.events.v1.PaymentCaptured")] == [first]
    assert _list(servicer, type="Payment") == []
    assert _list(servicer, type="%") == []
    assert len(_list(servicer)) == 2


def test_the_letters_of_another_service_are_not_here(servicer: OperationsServicer, folding: Any) -> None:
    _receive(folding, captured("payments.events", ids.new_id(), -1))

    assert _list(servicer, service="orders") == []
    with pytest.raises(ValidationFailed):
        _ask(servicer.ReplayDeadLetters(pb.ReplayDeadLettersRequest(service="orders"), NOBODY))


def test_a_dry_run_only_counts(servicer: OperationsServicer, folding: Any, database: Database) -> None:
    key = ids.new_id()
    _receive(folding, voided("payments.events", key))

    answer = _replay(servicer, dry_run=True)

    assert (answer.matched, answer.replayed, answer.still_parked) == (1, 0, 1)
    assert [letter.key for letter in answer.dead_letters] == [key]
    assert database.read(lambda connection: rows_of(connection, "SELECT 1 FROM audit")) == []


def test_a_replay_applies_a_key_in_order_and_is_written_down(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    key = ids.new_id()
    _receive(folding, voided("payments.events", key), captured("payments.events", key, 5))
    database.write(lambda connection: run_sql(connection, "INSERT INTO sums VALUES (:key, 7, 'c', 1)", key=key))

    answer = _replay(servicer, order_id=key)

    assert (answer.matched, answer.replayed, answer.still_parked) == (2, 2, 0)
    assert _steps(database, key) == "cvc"
    assert _list(servicer) == []
    [written] = database.read(lambda connection: rows_of(connection, "SELECT action, details FROM audit"))
    assert written.action == "replay_dead_letters"
    assert written.details["order_id"] == key


def test_what_fails_again_stays_and_is_told(servicer: OperationsServicer, folding: Any) -> None:
    good, bad = ids.new_id(), ids.new_id()
    _receive(folding, voided("payments.events", good), captured("payments.events", bad, -1))
    _receive(folding, captured("payments.events", bad, 5))

    answer = _replay(servicer, order_id=bad)

    assert (answer.matched, answer.replayed, answer.still_parked) == (2, 0, 2)
    assert {letter.key for letter in _list(servicer)} == {good, bad}


def test_letters_are_replayed_by_id(servicer: OperationsServicer, folding: Any, database: Database) -> None:
    keys = [ids.new_id(), ids.new_id()]
    _receive(folding, *(voided("payments.events", key) for key in keys))
    for key in keys:
        sql = "INSERT INTO sums VALUES (:key, 7, 'c', 1)"
        database.write(lambda connection, key=key, sql=sql: run_sql(connection, sql, key=key))  # type: ignore[misc]
    [first] = _list(servicer, order_id=keys[0])

    answer = _replay(servicer, ids=[first.id])

    assert (answer.matched, answer.replayed) == (1, 1)
    assert [_steps(database, key) for key in keys] == ["cv", "c"]


def test_a_letter_of_a_consumer_that_is_gone_stays(
    servicer: OperationsServicer, database: Database, folding: Any
) -> None:
    _receive(folding, captured("payments.events", ids.new_id(), -1))
    database.write(lambda connection: run_sql(connection, "UPDATE dead_letters SET consumer = 'former'"))

    answer = _replay(servicer)

    assert (answer.matched, answer.replayed, answer.still_parked) == (1, 0, 1)


def _discard(
    servicer: OperationsServicer, dry_run: bool = False, reason: str = "Booked by hand.", **wanted: Any
) -> Any:
    meant = pb.DeadLetterFilter(**(wanted or {"topic": "payments.events"}))
    request = pb.DiscardDeadLettersRequest(service="payments", filter=meant, reason=reason, dry_run=dry_run)
    return _ask(servicer.DiscardDeadLetters(request, NOBODY))


def _audit(servicer: OperationsServicer, **wanted: str) -> list[Any]:
    return list(_ask(servicer.ListAuditEntries(pb.ListAuditEntriesRequest(**wanted), NOBODY)).entries)


def _parked_keys(database: Database) -> set[str]:
    return {row.key for row in database.read(lambda connection: rows_of(connection, "SELECT key FROM parked_keys"))}


def _is_blocked(database: Database) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%parked_keys%'"
    return bool(database.read(lambda connection: rows_of(connection, sql)))


def test_letters_are_found_by_topic_and_by_consumer(servicer: OperationsServicer, folding: Any) -> None:
    key = ids.new_id()
    _receive(folding, voided("payments.events", key))

    assert [letter.key for letter in _list(servicer, topic="payments.events", consumer="ledger")] == [key]
    assert _list(servicer, topic="payments.requests") == []
    assert _list(servicer, consumer="former") == []


def test_a_discard_gives_up_what_is_meant_and_says_who_why_and_what(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    good, bad = ids.new_id(), ids.new_id()
    _receive(folding, voided("payments.events", good), captured("payments.events", bad, -1))
    [letter] = _list(servicer, order_id=bad)

    answer = _discard(servicer, order_id=bad, reason="Charged twice by a test.")

    assert (answer.matched, answer.discarded) == (1, 1)
    assert _parked_keys(database) == {good}
    [entry] = _audit(servicer, subject=bad)
    assert (entry.actor, entry.action, entry.service) == ("operator", "discard_dead_letters", "payments")
    details = orjson.loads(entry.details)
    assert (details["reason"], details["letters"]) == ("Charged twice by a test.", 1)
    assert [discarded["id"] for discarded in details["discarded"]] == [letter.id]
    assert details["discarded"][0]["error"] == "ZeroDivisionError: poison"


def test_a_dry_run_of_a_discard_only_counts(servicer: OperationsServicer, folding: Any) -> None:
    _receive(folding, voided("payments.events", ids.new_id()))

    answer = _discard(servicer, dry_run=True)

    assert (answer.matched, answer.discarded, len(answer.dead_letters)) == (1, 0, 1)
    assert (len(_list(servicer)), _audit(servicer)) == (1, [])


def test_what_waited_behind_a_discarded_letter_goes_on_by_itself(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    key = ids.new_id()
    _receive(folding, captured("payments.events", key, -1), captured("payments.events", key, 5))
    poison = next(letter for letter in _list(servicer, order_id=key) if letter.reason == "error")

    assert _discard(servicer, ids=[poison.id]).discarded == 1
    assert _parked_keys(database) == {key}, "the second one is still to be applied"
    folding.retry_due()

    assert (_steps(database, key), _parked_keys(database)) == ("c", set())


def test_a_discarded_event_stays_discarded_when_it_is_delivered_again(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    key = ids.new_id()
    value = sealed(captured("payments.events", key, -1))
    folding.apply([folding.decode("payments.events", 0, 900_001, key.encode(), value)])
    _discard(servicer, order_id=key)

    folding.apply([folding.decode("payments.events", 0, 900_001, key.encode(), value)])

    assert (_list(servicer), _parked_keys(database)) == ([], set())


def test_a_discard_that_loses_against_the_retry_discards_nothing(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    """What was read before the lock may be applied by then: deleted without a look, the effect would have no letter,
    and the audit would name as given up what was done."""
    key = ids.new_id()
    _receive(folding, voided("payments.events", key))
    database.write(lambda connection: run_sql(connection, "INSERT INTO sums VALUES (:key, 7, 'c', 1)", key=key))

    with ThreadPoolExecutor() as threads:
        with database.begin() as retry:
            assert dead_letters.lock_key(retry, "ledger", "payments.events", key)
            discarding = threads.submit(_discard, servicer, order_id=key)
            until(lambda: _is_blocked(database))
            letter = dead_letters.oldest(retry, "ledger", "payments.events", key)
            dead_letters.remove(retry, letter)
        answer = discarding.result(timeout=10)

    assert (answer.matched, answer.discarded, _audit(servicer)) == (1, 0, [])


def test_replay_discard_and_retry_at_once_end_each_letter_in_one_way(
    servicer: OperationsServicer, folding: Any, database: Database
) -> None:
    keys = [ids.new_id() for _ in range(20)]
    _receive(folding, *(voided("payments.events", key) for key in keys))
    for key in keys:
        sql = "INSERT INTO sums VALUES (:key, 7, 'c', 1)"
        database.write(lambda connection, key=key, sql=sql: run_sql(connection, sql, key=key))  # type: ignore[misc]
    database.write(lambda connection: run_sql(connection, "UPDATE parked_keys SET next_try_at = now()"))

    with ThreadPoolExecutor() as threads:
        work = [threads.submit(_replay, servicer), threads.submit(folding.retry_due)]
        discarded = threads.submit(_discard, servicer).result(timeout=20).discarded
        for each in work:
            each.result(timeout=20)

    applied = [key for key in keys if _steps(database, key) == "cv"]
    assert len(applied) + discarded == len(keys)
    given_up = {entry.subject for entry in _audit(servicer, action="discard_dead_letters")}
    assert given_up == set(keys) - set(applied)
    assert (_list(servicer), _parked_keys(database)) == ([], set())


def test_a_discard_that_does_not_say_what_it_means_discards_nothing(servicer: OperationsServicer, folding: Any) -> None:
    """A filter that was forgotten or misspelt would give up all that waits, for good."""
    _receive(folding, voided("payments.events", ids.new_id()))

    with pytest.raises(ValidationFailed):
        _ask(servicer.DiscardDeadLetters(pb.DiscardDeadLettersRequest(service="payments", reason="x"), NOBODY))

    assert len(_list(servicer)) == 1


def test_acts_of_another_service_are_not_here(servicer: OperationsServicer, folding: Any) -> None:
    _receive(folding, voided("payments.events", ids.new_id()))
    _discard(servicer)

    assert _audit(servicer, service="orders") == []
    with pytest.raises(ValidationFailed):
        _ask(servicer.DiscardDeadLetters(pb.DiscardDeadLettersRequest(service="orders", reason="x"), NOBODY))
