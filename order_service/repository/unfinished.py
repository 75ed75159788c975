"""The orders that have not ended, for what time makes us do: looked at when they are due, asked after with patience."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql
from order_service.domain import PATIENCE, Order, due_at

SETTLED_SECONDS: Final = 30.0
"""Age from which on an order's row says when it is to be looked at; a younger one is looked at every time."""
_MARGIN_SECONDS: Final = 10.0
"""An order that moves while somebody reads it must not keep the time that its former status had."""

_RESCHEDULE: Final = """
UPDATE unfinished SET asks = 0, next_ask_at = new.next_ask_at
FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[])) AS new (order_id, next_ask_at)
WHERE unfinished.order_id = new.order_id
"""

_SCHEDULE: Final = f"{_RESCHEDULE} AND (unfinished.next_ask_at IS NULL OR unfinished.next_ask_at <= now())"


def note_asked(connection: Connection, orders: Sequence[Order]) -> None:
    """These were asked after; when nothing comes of it they are asked after again, later each time."""
    patience = [PATIENCE[order.status] for order in orders]
    run_sql(
        connection,
        "UPDATE unfinished SET asks = asks + 1,"
        " next_ask_at = now() + make_interval(secs => LEAST(asked.longest, asked.first * 2 ^ LEAST(asks, 20)))"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:firsts AS float8[]), CAST(:longests AS float8[]))"
        " AS asked (order_id, first, longest) WHERE unfinished.order_id = asked.order_id",
        ids=[order.id for order in orders],
        firsts=[each.first_pause for each in patience],
        longests=[each.longest_pause for each in patience],
    )


def reschedule(connection: Connection, due: Mapping[str, datetime]) -> None:
    """Look at these orders at these times, not before, but for those that have moved meanwhile."""
    ids = sorted(due)
    run_sql(connection, _SCHEDULE, ids=ids, ats=[due[id_] for id_ in ids])


def note_moved(connection: Connection, orders: Iterable[Order], at: datetime) -> None:
    """Something was heard of these: their patience begins anew. Nothing is written for those that are young."""
    settled = timedelta(seconds=SETTLED_SECONDS - _MARGIN_SECONDS)
    waiting = {order.id: due_at(order) for order in orders if not order.has_ended and at - order.created_at > settled}
    if waiting:
        run_sql(connection, _RESCHEDULE, ids=list(waiting), ats=list(waiting.values()))


def traces_of(connection: Connection, order_ids: Sequence[str]) -> dict[str, str]:
    """The traces under which orders were placed, as UUIDs."""
    rows = rows_of(
        connection,
        "SELECT order_id, trace_id FROM timeline WHERE order_id = ANY(CAST(:ids AS uuid[])) AND version = 1",
        ids=order_ids,
    )
    return {row.order_id: row.trace_id for row in rows if row.trace_id}
