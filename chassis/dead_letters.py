"""Messages that could not be applied: parked with all that is needed to apply them later, key by key in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from chassis.database import Row, rows_of, run_sql

_BACKOFF_SECONDS: Final = (1, 2, 5, 15, 60, 300, 900, 3600)
"""Seconds until the next try, by how often it was tried; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be applied, and why: error, too_early, too_old, behind or undecodable."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    type: str
    payload: bytes
    reason: str
    error: str
    traceparent: str = ""


def backoff_seconds(attempts: int) -> int:
    """How long to wait after so many tries."""
    return _BACKOFF_SECONDS[min(attempts, len(_BACKOFF_SECONDS)) - 1]


def park(connection: Connection, consumer: str, letters: Sequence[Letter]) -> None:
    """Write letters and the keys that wait for them; a repeat of a record changes nothing."""
    if not letters:
        return
    run_sql(
        connection,
        "INSERT INTO parked_keys (consumer, topic, key, next_try_at)"
        " SELECT DISTINCT :consumer, topic, key, now() + interval '1 second'"
        " FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[])) AS parked (topic, key) ORDER BY topic, key"
        " ON CONFLICT DO NOTHING",
        consumer=consumer,
        topics=[letter.topic for letter in letters],
        keys=[letter.key for letter in letters],
    )
    run_sql(
        connection,
        "INSERT INTO dead_letters (consumer, topic, partition, record_offset, key, id, type, payload, reason, error,"
        " traceparent, next_try_at)"
        " SELECT :consumer, letter.*, now() + interval '1 second' FROM unnest(CAST(:topics AS text[]),"
        " CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]), CAST(:keys AS text[]), CAST(:ids AS uuid[]),"
        " CAST(:types AS text[]), CAST(:payloads AS bytea[]), CAST(:reasons AS text[]), CAST(:errors AS text[]),"
        " CAST(:traceparents AS text[])) AS letter ON CONFLICT DO NOTHING",
        consumer=consumer,
        topics=[letter.topic for letter in letters],
        partitions=[letter.partition for letter in letters],
        offsets=[letter.offset for letter in letters],
        keys=[letter.key for letter in letters],
        ids=[letter.id for letter in letters],
        types=[letter.type for letter in letters],
        payloads=[letter.payload for letter in letters],
        reasons=[letter.reason for letter in letters],
        errors=[letter.error[:1000] for letter in letters],
        traceparents=[letter.traceparent for letter in letters],
    )


def lock_key(connection: Connection, consumer: str, topic: str, key: str) -> bool:
    """Lock a parked key, as the consumer does before it decides; False when it is not parked any more."""
    return bool(
        rows_of(
            connection,
            "SELECT 1 FROM parked_keys WHERE consumer = :consumer AND topic = :topic AND key = :key FOR UPDATE",
            consumer=consumer, topic=topic, key=key,
        )
    )  # fmt: skip


def oldest(connection: Connection, consumer: str, topic: str, key: str) -> Row | None:
    """The first letter of a key, which all others of it wait behind."""
    rows = rows_of(
        connection,
        "SELECT * FROM dead_letters WHERE consumer = :consumer AND topic = :topic AND key = :key"
        " ORDER BY partition, record_offset LIMIT 1",
        consumer=consumer, topic=topic, key=key,
    )  # fmt: skip
    return rows[0] if rows else None


def remove(connection: Connection, letter: Row) -> None:
    """The letter was applied; its key is free again with its last letter."""
    run_sql(
        connection,
        "DELETE FROM dead_letters WHERE consumer = :consumer AND topic = :topic AND partition = :partition"
        " AND record_offset = :record_offset",
        consumer=letter.consumer, topic=letter.topic, partition=letter.partition, record_offset=letter.record_offset,
    )  # fmt: skip
    run_sql(
        connection,
        "DELETE FROM parked_keys WHERE consumer = :consumer AND topic = :topic AND key = :key AND NOT EXISTS"
        " (SELECT 1 FROM dead_letters WHERE consumer = :consumer AND topic = :topic AND key = :key)",
        consumer=letter.consumer, topic=letter.topic, key=letter.key,
    )  # fmt: skip


def free_key(connection: Connection, consumer: str, topic: str, key: str) -> None:
    """Letters of a key were discarded: it is free again with its last one, else the next is tried at once."""
    run_sql(
        connection,
        "WITH freed AS (DELETE FROM parked_keys WHERE consumer = :consumer AND topic = :topic AND key = :key"
        " AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE consumer = :consumer AND topic = :topic AND key = :key)"
        " RETURNING 1)"
        " UPDATE parked_keys SET next_try_at = now() WHERE consumer = :consumer AND topic = :topic AND key = :key"
        " AND NOT EXISTS (SELECT 1 FROM freed)",
        consumer=consumer, topic=topic, key=key,
    )  # fmt: skip


def postpone(connection: Connection, letter: Row, reason: str, error: str) -> None:
    """The letter failed again: count it, and name the time of the next try."""
    seconds = backoff_seconds(letter.attempts + 1)
    run_sql(
        connection,
        "UPDATE dead_letters SET attempts = attempts + 1, reason = :reason, error = :error,"
        " next_try_at = now() + make_interval(secs => :seconds)"
        " WHERE consumer = :consumer AND topic = :topic AND partition = :partition AND record_offset = :record_offset",
        reason=reason, error=error[:1000], seconds=seconds, consumer=letter.consumer, topic=letter.topic,
        partition=letter.partition, record_offset=letter.record_offset,
    )  # fmt: skip
    run_sql(
        connection,
        "UPDATE parked_keys SET next_try_at = now() + make_interval(secs => :seconds)"
        " WHERE consumer = :consumer AND topic = :topic AND key = :key",
        seconds=seconds, consumer=letter.consumer, topic=letter.topic, key=letter.key,
    )  # fmt: skip


def hurry(connection: Connection, keys: Sequence[str]) -> None:
    """Have what is parked of these keys tried at once; before the rows that it speaks of are locked, as retries do."""
    run_sql(connection, "UPDATE parked_keys SET next_try_at = now() WHERE key = ANY(CAST(:keys AS text[]))", keys=keys)


def due_keys(connection: Connection, consumer: str, limit: int = 100) -> Sequence[Row]:
    """Parked keys whose time has come, longest waiting first."""
    return rows_of(
        connection,
        "SELECT topic, key FROM parked_keys WHERE consumer = :consumer AND next_try_at <= now()"
        " ORDER BY next_try_at LIMIT :limit",
        consumer=consumer, limit=limit,
    )  # fmt: skip


def count(connection: Connection, consumer: str) -> int:
    """How many letters wait."""
    sql = "SELECT count(*) AS letters FROM dead_letters WHERE consumer = :consumer"
    return int(rows_of(connection, sql, consumer=consumer)[0].letters)
