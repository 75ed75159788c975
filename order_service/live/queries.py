"""What watchers are told, read from the timeline: what is new, what is past, and how things stand.

Rule (protocols: reading): only rows of transactions below the oldest one still open are read, in the order of
(transaction, order, version). A transaction that commits late under an early number is therefore never behind a
position that was given out: nothing at or above it has been, while it was open.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis import clock
from chassis.database import Row, rows_of
from order_service.live.domain import RESET, Change, Position, Subject, name_of

PAGE: Final = 500
PRESENT: Final = 100
"""Orders of a customer that a `reset` tells, the newest ones."""
SERVED: Final = timedelta(days=7)
"""How far back a stream goes on where it was left."""

_HORIZON: Final = "pg_snapshot_xmin(pg_current_snapshot())"
_CHANGE: Final = (
    "CAST(CAST(step.transaction_id AS text) AS bigint) AS transaction, step.order_id, step.version, step.from_status,"
    " step.to_status, step.reason, step.at, watched.customer_id, watched.payment_status, watched.total_minor,"
    " watched.currency"
)
_ORDER: Final = "step.transaction_id, step.order_id, step.version"
# OFFSET 0 keeps the planner to one look by key per step: it knows no better than that half a percent of all there ever
# was is new, and would rather read all orders.
_NEWS: Final = f"""
SELECT CAST(CAST({_HORIZON} AS text) AS bigint) AS horizon,
    EXISTS (SELECT FROM timeline WHERE transaction_id >= {_HORIZON}) AS is_more_coming, news.*
FROM (SELECT true) AS always LEFT JOIN LATERAL (
    SELECT {_CHANGE} FROM timeline AS step, LATERAL (
        SELECT customer_id, payment_status, total_minor, currency FROM orders WHERE id = step.order_id OFFSET 0
    ) AS watched
    WHERE step.transaction_id >= CAST(CAST(:transaction AS text) AS xid8) AND step.transaction_id < {_HORIZON}
    AND ({_ORDER}) > (CAST(CAST(:transaction AS text) AS xid8), CAST(:order_id AS uuid), CAST(:version AS integer))
    AND (:is_everything OR step.order_id = ANY(CAST(:order_ids AS uuid[]))
         OR watched.customer_id = ANY(CAST(:customer_ids AS text[])))
    ORDER BY {_ORDER} LIMIT {PAGE}
) AS news ON true
"""
_PAST: Final = f"""
SELECT asked.place, past.* FROM unnest(
    CAST(:places AS integer[]), CAST(:whose AS text[]), CAST(:transactions AS text[]), CAST(:order_ids AS uuid[]),
    CAST(:versions AS integer[]), CAST(:ends AS text[])
) AS asked (place, whose, transaction, order_id, version, ending) CROSS JOIN LATERAL (
    SELECT {_CHANGE} FROM orders AS watched JOIN timeline AS step ON step.order_id = watched.id
    WHERE %s AND ({_ORDER}) > (CAST(asked.transaction AS xid8), asked.order_id, asked.version)
    AND step.transaction_id < CAST(asked.ending AS xid8)
    ORDER BY {_ORDER} LIMIT {PAGE}
) AS past ORDER BY asked.place, past.transaction, past.order_id, past.version
"""
_PAST_OF_ORDERS: Final = _PAST % "watched.id = CAST(asked.whose AS uuid)"
_PAST_OF_CUSTOMERS: Final = _PAST % "watched.customer_id = asked.whose"
_PRESENT: Final = f"""
SELECT {_CHANGE} FROM (
    SELECT id, version, customer_id, payment_status, total_minor, currency, placed_at FROM orders
    WHERE %s ORDER BY placed_at DESC, id DESC LIMIT {PRESENT}
) AS watched JOIN timeline AS step ON step.order_id = watched.id AND step.version = watched.version
ORDER BY watched.placed_at, watched.id
"""
_PRESENT_OF_ORDER: Final = _PRESENT % "id = CAST(:whose AS uuid)"
_PRESENT_OF_CUSTOMER: Final = _PRESENT % "customer_id = :whose"


class Wanted(NamedTuple):
    """Of what the news are wanted: of these, or of everything where they are too many to be named."""

    order_ids: Collection[str] = ()
    customer_ids: Collection[str] = ()
    is_everything: bool = False


class News(NamedTuple):
    """What is new behind a position: a page of it, and how far it reaches.

    `is_more_coming`: something is committed already, and held back by an older transaction that is still open.
    """

    changes: Sequence[Change]
    reaches: Position
    is_page_full: bool
    is_more_coming: bool


class Past(NamedTuple):
    """Asks what happened to a subject behind a position, and before another one.

    `is_first`: it is behind a position that its reader names, and that may be too old to be served.
    """

    subject: Subject
    behind: Position
    before: Position
    is_first: bool = False


def horizon(connection: Connection) -> Position:
    """Everything before it has been decided; nothing will ever be committed there."""
    sql = f"SELECT CAST(CAST({_HORIZON} AS text) AS bigint) AS horizon"
    return Position(int(rows_of(connection, sql)[0].horizon))


def news_behind(connection: Connection, position: Position, wanted: Wanted) -> News:
    """A page of what is new behind a position, of what is wanted."""
    rows = rows_of(
        connection,
        _NEWS,
        **position._asdict(),
        is_everything=wanted.is_everything,
        order_ids=list(wanted.order_ids),
        customer_ids=list(wanted.customer_ids),
    )
    changes = [_change_of(row) for row in rows if row.order_id]
    is_full = len(changes) == PAGE
    reaches = _position_of(rows[-1]) if is_full else Position(rows[0].horizon)
    return News(changes, reaches, is_full, rows[0].is_more_coming)


def past_of(connection: Connection, asked: Sequence[Past]) -> list[list[Change] | None]:
    """A page of the past of each, oldest first; no page is full where there is no more, none where it is too old."""
    old = _too_old(connection, {each.behind.transaction for each in asked if each.is_first})
    found = _found(connection, asked)
    return [
        None if each.is_first and each.behind.transaction in old else changes
        for each, changes in zip(asked, found, strict=True)
    ]


def _found(connection: Connection, asked: Sequence[Past]) -> list[list[Change]]:
    found: list[list[Change]] = [[] for _ in asked]
    for sql, whose in ((_PAST_OF_ORDERS, "order_id"), (_PAST_OF_CUSTOMERS, "customer_id")):
        some = [(place, each) for place, each in enumerate(asked) if getattr(each.subject, whose)]
        if some:
            _read_past(connection, sql, some, [getattr(each.subject, whose) for _, each in some], found)
    return found


def _read_past(
    connection: Connection, sql: str, some: Sequence[tuple[int, Past]], whose: list[str], found: list[list[Change]]
) -> None:
    rows = rows_of(
        connection,
        sql,
        places=[place for place, _ in some],
        whose=whose,
        transactions=[str(each.behind.transaction) for _, each in some],
        order_ids=[each.behind.order_id for _, each in some],
        versions=[each.behind.version for _, each in some],
        ends=[str(each.before.transaction) for _, each in some],
    )
    for row in rows:
        found[row.place].append(_change_of(row))


def _too_old(connection: Connection, transactions: Iterable[int]) -> set[int]:
    """Rule (protocols: reading): those of these behind which the stream is not served: what follows is too long ago."""
    sql = (
        "SELECT transaction FROM unnest(CAST(:transactions AS bigint[])) AS transaction WHERE ("
        " SELECT at FROM timeline WHERE transaction_id > CAST(CAST(transaction AS text) AS xid8)"
        " ORDER BY transaction_id LIMIT 1) < :served_from"
    )
    if not (asked := sorted(transactions)):
        return set()
    rows = rows_of(connection, sql, transactions=asked, served_from=clock.now() - SERVED)
    return {row.transaction for row in rows}


def present_of(connection: Connection, subject: Subject) -> list[Change]:
    """How a subject stands: as many resets as it has orders, at most the newest PRESENT, oldest first."""
    sql = _PRESENT_OF_ORDER if subject.order_id else _PRESENT_OF_CUSTOMER
    rows = rows_of(connection, sql, whose=subject.order_id or subject.customer_id)
    return [_change_of(row)._replace(type=RESET) for row in rows]


def owners_of(connection: Connection, order_ids: Sequence[str]) -> Mapping[str, str]:
    """The customers of these orders, those that exist."""
    sql = "SELECT id, customer_id FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))"
    return {row.id: row.customer_id for row in rows_of(connection, sql, ids=list(order_ids))}


def _position_of(row: Row) -> Position:
    return Position(row.transaction, row.order_id, row.version)


def _change_of(row: Row) -> Change:
    return Change(
        _position_of(row),
        name_of(row.from_status, row.to_status, row.reason),
        row.order_id,
        row.customer_id,
        row.to_status,
        row.payment_status,
        row.total_minor,
        row.currency,
        row.reason,
        row.version,
        row.at,
    )
