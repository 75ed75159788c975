"""The orders that have not ended, for what time makes us do: found in pieces, asked after with growing patience."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql

_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


def note_asked(connection: Connection, order_ids: Sequence[str]) -> None:
    """These were asked after; when nothing comes of it they are asked after again, later each time."""
    run_sql(
        connection,
        "UPDATE unfinished SET asks = asks + 1,"
        " next_ask_at = now() + make_interval(secs => LEAST(CAST(:longest AS float8), :first * 2 ^ LEAST(asks, 20)))"
        " WHERE order_id = ANY(CAST(:ids AS uuid[]))",
        ids=order_ids,
        first=_FIRST_PAUSE_SECONDS,
        longest=_LONGEST_PAUSE_SECONDS,
    )


def traces_of(connection: Connection, order_ids: Sequence[str]) -> dict[str, str]:
    """The traces under which orders were placed, as UUIDs."""
    rows = rows_of(
        connection,
        "SELECT order_id, trace_id FROM timeline WHERE order_id = ANY(CAST(:ids AS uuid[])) AND version = 1",
        ids=order_ids,
    )
    return {row.order_id: row.trace_id for row in rows if row.trace_id}
