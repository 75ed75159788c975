"""Who did what by hand: rows written in the transaction of the act itself."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from chassis import ids, tracing
from chassis.database import run_sql


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
