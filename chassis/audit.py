"""Who did what by hand: rows written in the transaction of the act itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chassis import ids, tracing
from chassis.database import Row, rows_of, run_sql

SHOWN: Final = 100
"""Acts shown at once; the newest."""

_NEWEST: Final = f"""
SELECT id, at, actor, action, subject, details, trace_id FROM audit
WHERE (:subject = '' OR subject = :subject) AND (:action = '' OR action = :action) ORDER BY id DESC LIMIT {SHOWN}
"""


def note(connection: Connection, *, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> None:
    """Write down that `actor` did `action` to `subject`."""
    run_sql(
        connection,
        "INSERT INTO audit (id, actor, action, subject, details, trace_id)"
        " VALUES (:id, :actor, :action, :subject, CAST(:details AS jsonb), :trace_id)",
        id=ids.new_id(),
        actor=actor,
        action=action,
        subject=subject,
        details=orjson.dumps(details).decode(),
        trace_id=tracing.trace_id_of(tracing.current.get()),
    )


def newest(connection: Connection, subject: str = "", action: str = "") -> Sequence[Row]:
    """The newest acts, of one kind or done to one subject where that is given."""
    return rows_of(connection, _NEWEST, subject=subject, action=action)
