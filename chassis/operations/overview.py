"""How one context stands: what it took in, what waits to leave it, and what failed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis import ids
from chassis.database import rows_of

MOST: Final = 100_000
"""Rows are not counted further than this: whoever looks at a jam must not make it worse."""
LAST_MINUTE: Final = timedelta(minutes=1)
LAST_HOUR: Final = timedelta(hours=1)


class Overview(NamedTuple):
    """What is shown of a context; times of waiting are of what has waited longest, in seconds."""

    events_taken: int
    events_waiting: int
    event_seconds: float
    dead_letters: int
    parked_keys: int
    calls_waiting: int
    call_seconds: float
    failed_jobs: Sequence[str]


_SQL: Final = """
SELECT
    (SELECT count(*) FROM inbox WHERE (day, id) >= (CAST(:first_day AS date), CAST(:first_id AS uuid))) AS taken,
    (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT :most) AS counted) AS events,
    COALESCE((SELECT EXTRACT(epoch FROM now() - created_at) FROM outbox ORDER BY id LIMIT 1), 0) AS event_seconds,
    (SELECT count(*) FROM (SELECT 1 FROM dead_letters LIMIT :most) AS counted) AS letters,
    (SELECT count(*) FROM (SELECT 1 FROM parked_keys LIMIT :most) AS counted) AS parked,
    (SELECT count(*) FROM (SELECT 1 FROM calls LIMIT :most) AS counted) AS calls,
    COALESCE(GREATEST(0, (SELECT EXTRACT(epoch FROM now() - min(GREATEST(due_at, COALESCE(leased_until, due_at))))
        FROM calls)), 0) AS call_seconds,
    ARRAY(SELECT name FROM jobs WHERE last_failed_at > now() - :hour ORDER BY name) AS failed_jobs
"""


def overview(connection: Connection, at: datetime) -> Overview:
    """How the context of this connection stands; events are those of the last minute, failed jobs of the last hour."""
    first = ids.first_id_at(at - LAST_MINUTE)
    row = rows_of(connection, _SQL, first_day=ids.day_of(first), first_id=first, most=MOST, hour=LAST_HOUR)[0]
    taken, events, event_seconds, letters, parked, calls, call_seconds, failed = row
    return Overview(taken, events, float(event_seconds), letters, parked, calls, float(call_seconds), failed)
