"""The chassis' own tables, the same in every schema."""

from collections.abc import Callable
from typing import Final

OUTBOX_LIMIT: Final = 2_000_000
"""Rows in an outbox from which on nothing new is placed (promise P11)."""
INBOX_DAYS: Final = 14
"""Days an event id is remembered; topics keep their records for 7."""

_STATEMENTS: Final = (
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
        topic text NOT NULL,
        key text NOT NULL,
        payload bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
            autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000)
    """,
    """
    CREATE TABLE inbox (
        day date NOT NULL,
        id uuid NOT NULL,
        PRIMARY KEY (day, id)
    ) PARTITION BY RANGE (day)
    """,
    """
    CREATE TABLE dead_letters (
        consumer text NOT NULL,
        topic text NOT NULL,
        key text NOT NULL,
        partition integer NOT NULL,
        record_offset bigint NOT NULL,
        id uuid NOT NULL,
        type text NOT NULL,
        payload bytea NOT NULL,
        reason text NOT NULL,
        error text NOT NULL,
        attempts integer NOT NULL DEFAULT 1,
        next_try_at timestamptz,
        traceparent text NOT NULL DEFAULT '',
        parked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, topic, partition, record_offset)
    )
    """,
    "CREATE INDEX dead_letters_by_key ON dead_letters (consumer, topic, key, record_offset)",
    "CREATE INDEX dead_letters_by_id ON dead_letters (id)",
    "CREATE INDEX dead_letters_by_order ON dead_letters (key)",
    """
    CREATE TABLE parked_keys (
        consumer text NOT NULL,
        topic text NOT NULL,
        key text NOT NULL,
        next_try_at timestamptz,
        PRIMARY KEY (consumer, topic, key)
    )
    """,
    """
    CREATE TABLE leases (
        name text PRIMARY KEY,
        owner text NOT NULL,
        until timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE calls (
        kind text NOT NULL,
        key text NOT NULL,
        subject text NOT NULL,
        payload jsonb NOT NULL,
        attempt integer NOT NULL DEFAULT 1,
        due_at timestamptz NOT NULL,
        leased_until timestamptz,
        lease_owner text,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (kind, key)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX calls_due ON calls (GREATEST(due_at, COALESCE(leased_until, due_at)))",
    """
    CREATE TABLE jobs (
        name text PRIMARY KEY,
        last_failed_at timestamptz NOT NULL,
        last_error text NOT NULL
    )
    """,
    """
    CREATE TABLE audit (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        actor text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        details jsonb NOT NULL DEFAULT '{}',
        trace_id text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX audit_by_subject ON audit (subject, at)",
)


def create_chassis_tables(execute: Callable[[str], object]) -> None:
    """Run the statements that make the chassis' tables; for the first migration of every service."""
    for statement in _STATEMENTS:
        execute(statement)
