"""What an operator sees of a context at one look."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis import clock, ids, inbox
from chassis.database import Database, run_sql
from chassis.operations.servicer import OperationsServicer
from protos.operations.v1 import operations_pb2 as pb

NOBODY: Any = None


@pytest.fixture
def servicer(database: Database) -> OperationsServicer:
    database.write(inbox.renew_partitions)
    return OperationsServicer("payments", database, dict)


def _shown(servicer: OperationsServicer, service: str = "") -> list[Any]:
    return list(asyncio.run(servicer.GetOverview(pb.GetOverviewRequest(service=service), NOBODY)).contexts)


def _do(database: Database, sql: str, **values: Any) -> None:
    database.write(lambda connection: run_sql(connection, sql, **values))


def test_a_quiet_context_shows_nothing_that_waits(servicer: OperationsServicer) -> None:
    [shown] = _shown(servicer)

    assert shown.service == "payments"
    assert (shown.events_waiting, shown.oldest_event_seconds, shown.dead_letters) == (0, 0, 0)
    assert (shown.calls_waiting, shown.late_call_seconds, list(shown.failed_jobs)) == (0, 0, [])


def test_what_waits_is_counted_and_the_longest_wait_told(servicer: OperationsServicer, database: Database) -> None:
    _do(
        database,
        "INSERT INTO outbox (topic, key, payload, created_at) SELECT 't', 'k', '', now() - interval '1 min' * n"
        " FROM generate_series(1, 3) AS n",
    )
    _do(
        database,
        "INSERT INTO calls (kind, key, subject, payload, due_at) VALUES"
        " ('charge', 'late', 's', '{}', now() - interval '90 s'),"
        " ('charge', 'soon', 's', '{}', now() + interval '1 h')",
    )
    _do(
        database,
        "INSERT INTO jobs (name, last_failed_at, last_error) VALUES"
        " ('sweep', now(), 'x'), ('tidy', now() - interval '2 h', 'x')",
    )
    [shown] = _shown(servicer)

    assert shown.events_waiting == 3
    assert 50 < shown.oldest_event_seconds < 120
    assert shown.calls_waiting == 2
    assert 89 < shown.late_call_seconds < 150
    assert list(shown.failed_jobs) == ["sweep"]


def test_events_of_the_last_minute_are_counted(servicer: OperationsServicer, database: Database) -> None:
    for made in (ids.new_id(), ids.new_id(), ids.first_id_at(clock.now() - timedelta(minutes=5))):
        _do(database, "INSERT INTO inbox (day, id) VALUES (:day, CAST(:id AS uuid))", day=ids.day_of(made), id=made)

    assert _shown(servicer)[0].events_taken == 2


def test_another_context_is_not_ours_to_show(servicer: OperationsServicer) -> None:
    assert _shown(servicer, "orders") == []
    assert [shown.service for shown in _shown(servicer, "payments")] == ["payments"]
