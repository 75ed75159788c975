"""Figures of completed orders: straight from the orders, and from the totals that are kept of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis import ids
from chassis.database import rows_of, run_sql
from order_service import queries
from order_service.domain import Status
from order_service.reports.domain import (
    CUSTOMERS,
    PRODUCTS,
    Board,
    Figures,
    Kpis,
    Minute,
    NotRanked,
    Place,
    Present,
)

_KPIS: Final = """
SELECT count(*) AS orders, COALESCE(sum(total_minor - refunded_minor), 0) AS revenue_minor,
       count(DISTINCT customer_id) AS unique_customers
FROM orders WHERE placed_at >= :start AND placed_at < :end AND status = 'COMPLETED'
"""


def kpis(connection: Connection, first_day: date, last_day: date) -> Kpis:
    """The figures of these days in UTC, both inclusive."""
    row = rows_of(connection, _KPIS, **_span(first_day, last_day))[0]
    return Kpis(first_day, last_day, int(row.revenue_minor), row.orders, row.unique_customers)


def _span(first_day: date, last_day: date) -> dict[str, datetime]:
    return {"start": _midnight(first_day), "end": _midnight(last_day) + timedelta(days=1)}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class Revision(NamedTuple):
    """What the figures of some days depend on, beside the days; none of their marks is waiting when it is `is_told`."""

    generation: int
    revision: int
    is_told: bool


# Where the job is late there may be very many marks: then it is enough to know that.
_REVISION: Final = """
SELECT COALESCE((SELECT generation FROM report_state), 0) AS generation,
    COALESCE((SELECT max(revision) FROM report_days WHERE day BETWEEN :first AND :last), 0) AS revision,
    CASE WHEN (SELECT created_at FROM report_marks ORDER BY id LIMIT 1) < now() - make_interval(secs => :late)
    THEN false ELSE NOT EXISTS (
        SELECT FROM report_marks
        CROSS JOIN LATERAL (SELECT placed_at FROM orders WHERE id = order_id OFFSET 0) AS marked
        WHERE placed_at >= :start AND placed_at < :end) END AS is_told
"""
LATE_SECONDS: Final = 2.0
"""A job that is later than this with counting is not waited for."""


def revision_of(connection: Connection, first_day: date, last_day: date) -> Revision:
    """The revision of these days: raised by every completion and refund of orders placed on one of them."""
    row = rows_of(
        connection, _REVISION, first=first_day, last=last_day, late=LATE_SECONDS, **_span(first_day, last_day)
    )[0]
    return Revision._make(row)


_MINUTES: Final = """
SELECT date_trunc('minute', created_at) AS minute, status, count(*) AS orders
FROM orders WHERE id >= CAST(:first_id AS uuid) AND id <= CAST(:last_id AS uuid) AND created_at >= :since GROUP BY 1, 2
"""
_LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""Says nothing about orders, but tells the planner that these ids are a range, and a small part of all."""
MINUTES: Final = 15


def present(connection: Connection, at: datetime) -> Present:
    """All unfinished orders, and those of the last minutes that have ended, by status; the last minutes one by one."""
    this_minute = at.replace(second=0, microsecond=0)
    minutes = [this_minute - timedelta(minutes=back) for back in reversed(range(MINUTES))]
    # A minute more: the clocks of those who make ids may differ.
    first_id = ids.first_id_at(minutes[0] - timedelta(minutes=1))
    statuses = dict.fromkeys((status.value for status in Status), 0)
    placed, completed = dict.fromkeys(minutes, 0), dict.fromkeys(minutes, 0)
    for row in rows_of(connection, _MINUTES, first_id=first_id, last_id=_LAST_ID, since=minutes[0]):
        statuses[row.status] += row.orders
        if row.minute in placed:
            placed[row.minute] += row.orders
            completed[row.minute] += row.orders if row.status == Status.COMPLETED else 0
    statuses |= {waiting.name: waiting.orders for waiting in queries.waiting_orders(connection)}
    return Present(statuses, [Minute(minute, placed[minute], completed[minute]) for minute in minutes])


# ---- leaderboards


class Boards(NamedTuple):
    """Where leaderboards are read, and for how long what is not in the totals, or not in Redis yet, has waited."""

    generation: int
    edition: int
    is_published: bool
    uncounted_seconds: float
    untold_seconds: float

    @property
    def is_in_redis(self) -> bool:
        """Whether Redis is to be asked: not where it lags behind for longer than telling it takes."""
        return self.is_published and self.untold_seconds < LATE_SECONDS

    def is_settling(self, since_seconds: float) -> bool:
        """Whether something that is older than so many seconds is about to be counted or told."""
        return any(
            since_seconds < waited < LATE_SECONDS
            for waited in (self.uncounted_seconds, self.untold_seconds if self.is_published else 0.0)
        )


_BOARDS: Final = """
SELECT generation, edition, is_published,
    COALESCE(EXTRACT(epoch FROM now() - (SELECT created_at FROM report_marks ORDER BY id LIMIT 1)), 0) AS uncounted,
    COALESCE(EXTRACT(epoch FROM now() - (SELECT min(created_at) FROM report_changes)), 0) AS untold
FROM report_state
"""


def boards(connection: Connection) -> Boards:
    """Where leaderboards are read; generation 0 where nothing is counted yet."""
    for row in rows_of(connection, _BOARDS):
        return Boards(row.generation, row.edition, row.is_published, float(row.uncounted), float(row.untold))
    return Boards(0, 0, False, 0.0, 0.0)


_COUNTED: Final[Mapping[Board, str]] = {
    CUSTOMERS: """
        SELECT customer_id AS member, spent_minor AS spent, orders
        FROM report_customers WHERE generation = :generation""",
    PRODUCTS: """
        SELECT sku AS member, units, revenue_minor AS revenue FROM report_products WHERE generation = :generation""",
}
PLAIN: Final[Mapping[Board, str]] = {
    CUSTOMERS: """
        SELECT customer_id AS member, sum(total_minor - refunded_minor) AS spent, count(*) AS orders
        FROM orders WHERE status = 'COMPLETED' GROUP BY customer_id""",
    PRODUCTS: """
        SELECT line.sku COLLATE "C" AS member, CAST(sum(line.units) AS bigint) AS units,
               sum(line.revenue_minor) AS revenue
        FROM orders CROSS JOIN LATERAL report_lines(items, refunded_minor, COALESCE((
            SELECT jsonb_object_agg(sku, pieces) FROM (
                SELECT item.key AS sku, sum(CAST(item.value AS bigint)) AS pieces
                FROM refunds CROSS JOIN LATERAL jsonb_each_text(refunds.items) AS item
                WHERE refunds.order_id = orders.id AND refunds.status = 'SUCCEEDED' GROUP BY 1) AS pieces_of), '{}'))
            AS line
        WHERE status = 'COMPLETED' GROUP BY 1""",
}
"""What the totals must be, worked out from the orders alone."""


def top(connection: Connection, generation: int, board: Board, measure: str, limit: int) -> list[Place]:
    """The first places; read from the totals, or from the orders themselves while nothing is counted yet."""
    sql = f"{_figures_of(board, generation)} ORDER BY {_known(board, measure)} DESC, member DESC LIMIT :limit"
    rows = rows_of(connection, sql, generation=generation, limit=limit)
    return [Place(rank, _figures(row)) for rank, row in enumerate(rows, start=1)]


def place_of(connection: Connection, generation: int, board: Board, measure: str, member: str) -> Place:
    """The place of a member. Raises NotRanked."""
    by = _known(board, measure)
    sql = (
        f"WITH figures AS ({_figures_of(board, generation)}), theirs AS (SELECT * FROM figures WHERE member = :member)"
        f" SELECT theirs.*, (SELECT count(*) FROM figures"
        f" WHERE ({by}, member) > (SELECT {by}, member FROM theirs)) AS ahead FROM theirs"
    )
    for row in rows_of(connection, sql, generation=generation, member=member):
        return Place(row.ahead + 1, _figures(row))
    raise NotRanked(f"nothing of {member} was completed")


def _figures_of(board: Board, generation: int) -> str:
    source = _COUNTED if generation else PLAIN
    return f"SELECT member, {', '.join(board.measures)} FROM ({source[board]}) AS board"


def _known(board: Board, measure: str) -> str:
    if measure not in board.measures:
        raise ValueError(f"{board.name} are not ranked by {measure}")
    return measure


def _figures(row: Sequence[object]) -> Figures:
    member, first, second = row[:3]
    return Figures(str(member), int(str(first)), int(str(second)))


def names_of(connection: Connection, skus: Iterable[str]) -> dict[str, str]:
    """What products are called at present."""
    return {sku: product.name for sku, product in queries.products_of(connection, skus).items()}


# ---- what the job asks


class Work(NamedTuple):
    """What there is to do, and for how long it has waited."""

    has_marks: bool
    marks_seconds: float
    is_building: bool
    edition: int
    is_published: bool
    changes: int
    changes_seconds: float


_WORK: Final = """
SELECT mark.created_at IS NOT NULL AS has_marks,
    COALESCE(EXTRACT(epoch FROM now() - mark.created_at), 0) AS marks_seconds,
    building IS NOT NULL AS is_building, edition, is_published, changes.rows AS changes,
    COALESCE(EXTRACT(epoch FROM now() - changes.since), 0) AS changes_seconds
FROM report_state
    LEFT JOIN (SELECT created_at FROM report_marks ORDER BY id LIMIT 1) AS mark ON true
    CROSS JOIN (SELECT count(*) AS rows, min(created_at) AS since FROM report_changes) AS changes
"""


def work(connection: Connection) -> Work | None:
    """What there is to do; None where there is not even a state."""
    for row in rows_of(connection, _WORK):
        return Work(
            row.has_marks, float(row.marks_seconds), row.is_building, row.edition, row.is_published, row.changes,
            float(row.changes_seconds),
        )  # fmt: skip
    return None


def page(connection: Connection, board: Board, after: str, members: int) -> list[Figures]:
    """The next totals of a board in order of its members' names."""
    sql = (
        f"SELECT * FROM ({_COUNTED[board].replace(':generation', '(SELECT generation FROM report_state)')}) AS board"
        " WHERE member > :after ORDER BY member LIMIT :members"
    )
    return [_figures(row) for row in rows_of(connection, sql, after=after, members=members)]


class Changed(NamedTuple):
    """Totals that are to be told to Redis: those of the members that `change_ids` name, as they were at this turn.

    Members of whom nothing is kept any more are `gone`: a customer who was forgotten.
    """

    turn: int
    change_ids: list[int]
    figures: dict[Board, list[Figures]]
    gone: dict[Board, list[str]]


_CHANGES: Final = "SELECT id, customers, skus FROM report_changes ORDER BY id LIMIT :most"


def changed(connection: Connection, most: int) -> Changed:
    """The totals behind the oldest changes, all from one moment; the transaction must be one for this alone."""
    run_sql(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    state = rows_of(connection, "SELECT turn, generation FROM report_state")[0]
    rows = rows_of(connection, _CHANGES, most=most)
    members = {
        CUSTOMERS: {customer for row in rows for customer in row.customers},
        PRODUCTS: {sku for row in rows for sku in row.skus},
    }
    figures = {board: _of(connection, state.generation, board, sorted(them)) for board, them in members.items()}
    gone = {board: sorted(them - {each.member for each in figures[board]}) for board, them in members.items()}
    return Changed(state.turn, [row.id for row in rows], figures, gone)


def _of(connection: Connection, generation: int, board: Board, members: list[str]) -> list[Figures]:
    if not members:
        return []
    sql = f"SELECT * FROM ({_COUNTED[board]}) AS board WHERE member = ANY(CAST(:members AS text[]))"
    return [_figures(row) for row in rows_of(connection, sql, generation=generation, members=members)]


class Rebuild(NamedTuple):
    """Where the rebuild stands."""

    is_running: bool
    is_published: bool
    asked_at: datetime | None
    finished_at: datetime | None


def rebuild(connection: Connection) -> Rebuild:
    """Where the newest rebuild stands; the first one has not been done where there is no state."""
    sql = "SELECT building IS NOT NULL, is_published, rebuild_asked_at, rebuilt_at FROM report_state"
    for row in rows_of(connection, sql):
        return Rebuild(*row)
    return Rebuild(True, False, None, None)
