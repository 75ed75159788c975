"""Facts in, once: event ids claimed in the transaction of their effect, in partitions by the day in the id."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection

from chassis import clock, ids
from chassis.database import Row, rows_of, run_sql
from chassis.tables import INBOX_DAYS

_AHEAD_DAYS: Final = 2
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)

_CLAIM: Final = """
WITH parked AS (
    SELECT topic, key FROM parked_keys
    WHERE consumer = :consumer
      AND (topic, key) IN (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[])))
    ORDER BY topic, key FOR UPDATE
), claimed AS (
    INSERT INTO inbox (day, id)
    SELECT * FROM unnest(CAST(:days AS date[]), CAST(:ids AS uuid[])) AS event (day, id) ORDER BY id
    ON CONFLICT DO NOTHING RETURNING id
)
SELECT NULL AS topic, CAST(id AS text) AS name FROM claimed UNION ALL SELECT topic, key FROM parked
"""


def claim(
    connection: Connection, consumer: str, events: Sequence[tuple[date, str]], keys: Iterable[tuple[str, str]]
) -> tuple[set[str], set[tuple[str, str]]]:
    """The event ids that are new, and the (topic, key)s among `keys` that are parked, these locked.

    Rules (protocols: events in): the day is taken from the id; claims go in id order; a batch locks the parked_keys
    rows of its keys before it decides.
    """
    topics, names = zip(*sorted(keys), strict=True) if keys else ((), ())
    rows: Sequence[Row] = rows_of(
        connection,
        _CLAIM,
        consumer=consumer,
        topics=list(topics),
        keys=list(names),
        days=[day for day, _ in events],
        ids=[id_ for _, id_ in events],
    )
    claimed = {row.name for row in rows if row.topic is None}
    return claimed, {(row.topic, row.name) for row in rows if row.topic is not None}


def day_in_reach(id_: str) -> date | None:
    """The day of an event id whose partition is there; None when it is too old to know whether it was applied.

    An id from a clock that runs ahead by more than a day is out of reach as well, and what is no id at all.
    """
    if not ids.is_id(id_):  # it could not be claimed, and would stop every batch that it is in
        return None
    # The first 32 bits of the milliseconds change every 65 seconds: the events of a batch share them.
    return _day_in_reach(id_[:8], id_[9:11], clock.unix_ms() // _DAY_MS)


@lru_cache(maxsize=256)
def _day_in_reach(high: str, middle: str, today_number: int) -> date | None:
    try:
        # Rounded down to 256 ms; no day begins within such a step, for a day has 256 × 337,500 of them.
        day = ids.day_of(f"{high}-{middle}00")
    except (ValueError, OverflowError, OSError):
        return None
    today = _EPOCH + timedelta(days=today_number)
    return day if today - timedelta(days=INBOX_DAYS - 1) <= day < today + timedelta(days=_AHEAD_DAYS) else None


def renew_partitions(connection: Connection) -> None:
    """Make the partitions of the days in reach, drop those of days long past."""
    run_sql(connection, "SELECT pg_advisory_xact_lock(hashtext('inbox partitions'))")
    today = clock.now().date()
    wanted = {today + timedelta(days=offset) for offset in range(-INBOX_DAYS, _AHEAD_DAYS + 1)}
    existing = {date.fromisoformat(row.day) for row in rows_of(connection, _PARTITIONS)}
    for day in sorted(wanted - existing):
        run_sql(
            connection,
            f"CREATE TABLE inbox_{day:%Y%m%d} PARTITION OF inbox FOR VALUES FROM ('{day}') TO ('{day + timedelta(1)}')",
        )
    for day in sorted(existing - wanted):
        run_sql(connection, f"DROP TABLE inbox_{day:%Y%m%d}")


_PARTITIONS: Final = """
SELECT to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') AS day
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = CAST('inbox' AS regclass) AND child.relname LIKE 'inbox\\_%'
"""
