"""Who did what by hand: rows written in the transaction of the act itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection

from chassis import ids, tracing
from chassis.database import Row, rows_of, run_sql

SHOWN: Final = 100
"""Acts shown at once; the newest."""

_NEWEST: Final = f"""
SELECT id, at, actor, action, subject, details, trace_id FROM audit
WHERE (:subject = '' OR subject = :subject) AND (:action = '' OR action = :action) AND (:actor = '' OR actor = :actor)
ORDER BY id DESC LIMIT {SHOWN}
"""
_NOTE: Final = """
INSERT INTO audit (id, actor, action, subject, details, trace_id)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:actors AS text[]), CAST(:actions AS text[]), CAST(:subjects AS text[]),
                     CAST(:details AS jsonb[]), CAST(:trace_ids AS text[]))
"""


class Act(NamedTuple):
    """`actor` did `action` to `subject`. `traceparent`: for acts on threads, which see no current one."""

    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]
    traceparent: str = ""


def note(connection: Connection, *, actor: str, action: str, subject: str, details: Mapping[str, Any]) -> None:
    """Write down that `actor` did `action` to `subject`."""
    note_all(connection, [Act(actor, action, subject, details)])


def note_all(connection: Connection, acts: Sequence[Act]) -> None:
    """Write these down, in one statement; nothing for none."""
    if not acts:
        return
    run_sql(
        connection,
        _NOTE,
        ids=[ids.new_id() for _ in acts],
        actors=[act.actor for act in acts],
        actions=[act.action for act in acts],
        subjects=[act.subject for act in acts],
        details=[orjson.dumps(act.details).decode() for act in acts],
        trace_ids=[tracing.trace_id_of(act.traceparent or tracing.current.get()) for act in acts],
    )


def newest(connection: Connection, subject: str = "", action: str = "", actor: str = "") -> Sequence[Row]:
    """The newest acts, of one kind, or done to one subject, or by one actor, where that is given."""
    return rows_of(connection, _NEWEST, subject=subject, action=action, actor=actor)
