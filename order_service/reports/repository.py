"""Totals of completed orders, kept up by marks: all SQL that writes reports.

What an order comes to is always worked out from its row and its refunds as they now are; what of it is counted already
is known from its marks and from `report_refunds`. So a mark may be handled late, or together with later ones, and still
nothing counts twice. Every change takes a turn: the row of state is locked, so that two instances never count at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql

NO_ORDER: Final = "00000000-0000-0000-0000-000000000000"
ALL_ORDERS: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"

_MICROSECONDS: Final = "CAST(EXTRACT(epoch FROM clock_timestamp()) * 1000000 AS bigint)"

# By the clock, so that no number comes again where Postgres was set back to a backup and Redis was not.
_TAKE_TURN: Final = f"""
INSERT INTO report_state AS state (turn, building, walked_to)
VALUES ({_MICROSECONDS}, {_MICROSECONDS}, '{NO_ORDER}')
ON CONFLICT (one) DO UPDATE SET turn = GREATEST(state.turn + 1, excluded.turn)
RETURNING turn, generation, building, walked_to, edition
"""

_MARKED: Final = """
WITH taken AS (
    DELETE FROM report_marks WHERE id = ANY(ARRAY(
        SELECT id FROM report_marks WHERE order_id > CAST(:after AS uuid) AND order_id <= CAST(:up_to AS uuid)
        ORDER BY id LIMIT :most))
    RETURNING order_id, is_refund, created_at
), marked AS (
    SELECT order_id, bool_or(NOT is_refund) AS is_new FROM taken GROUP BY order_id
), present AS (
    SELECT orders.id, customer_id, placed_at, items, total_minor, refunded_minor, is_new
    FROM marked JOIN orders ON orders.id = order_id
), """
_WALKED: Final = """
WITH present AS (
    SELECT id, customer_id, placed_at, items, total_minor, refunded_minor, true AS is_new
    FROM orders WHERE id > CAST(:after AS uuid) AND id <= CAST(:up_to AS uuid) AND status = 'COMPLETED'
), """
# OFFSET 0: looked up order by order, however many refunds there are and whatever the planner thinks of it.
_ADD_UP: Final = """
returned AS (
    SELECT order_id, jsonb_object_agg(sku, pieces) AS items FROM (
        SELECT order_id, item.key AS sku, sum(CAST(item.value AS bigint)) AS pieces
        FROM present CROSS JOIN LATERAL (
            SELECT order_id, refunds.items FROM refunds WHERE order_id = present.id AND status = 'SUCCEEDED' OFFSET 0
        ) AS done CROSS JOIN LATERAL jsonb_each_text(done.items) AS item
        WHERE present.refunded_minor > 0 GROUP BY 1, 2) AS pieces_of
    GROUP BY 1
), counted AS (
    INSERT INTO report_refunds AS known (order_id, refunded_minor, returned)
    SELECT present.id, present.refunded_minor, COALESCE(returned.items, '{}')
    FROM present LEFT JOIN returned ON returned.order_id = present.id WHERE present.refunded_minor > 0
    ON CONFLICT (order_id) DO UPDATE SET refunded_minor = excluded.refunded_minor, returned = excluded.returned
), before AS (
    SELECT present.id, COALESCE(known.refunded_minor, 0) AS refunded_minor, COALESCE(known.returned, '{}') AS returned
    FROM present LEFT JOIN LATERAL (
        SELECT * FROM report_refunds WHERE order_id = present.id OFFSET 0) AS known ON true
    WHERE NOT is_new
), parts AS (
    SELECT present.id, line.sku, line.quantity AS units,
           CAST(line.quantity AS numeric) * line.unit_price_minor AS revenue_minor
    FROM present
    CROSS JOIN LATERAL jsonb_to_recordset(items) AS line (sku text, quantity bigint, unit_price_minor bigint)
    WHERE is_new AND refunded_minor = 0
    UNION ALL
    SELECT present.id, line.sku, line.units, line.revenue_minor
    FROM present LEFT JOIN returned ON returned.order_id = present.id
    CROSS JOIN LATERAL report_lines(present.items, present.refunded_minor, COALESCE(returned.items, '{}')) AS line
    WHERE present.refunded_minor > 0
    UNION ALL
    SELECT present.id, line.sku, -line.units, -line.revenue_minor
    FROM before JOIN present ON present.id = before.id
    CROSS JOIN LATERAL report_lines(present.items, before.refunded_minor, before.returned) AS line
), books AS (
    SELECT * FROM unnest(CAST(:generations AS bigint[]), CAST(:up_tos AS uuid[])) AS book (generation, last_id)
), customers AS (
    INSERT INTO report_customers AS known (generation, customer_id, spent_minor, orders)
    SELECT generation, customer_id,
           sum(CASE WHEN is_new THEN total_minor ELSE before.refunded_minor END - present.refunded_minor),
           count(*) FILTER (WHERE is_new)
    FROM books JOIN present ON present.id <= last_id LEFT JOIN before ON before.id = present.id
    GROUP BY generation, customer_id
    ON CONFLICT (generation, customer_id) DO UPDATE
    SET spent_minor = known.spent_minor + excluded.spent_minor, orders = known.orders + excluded.orders
), products AS (
    INSERT INTO report_products AS known (generation, sku, units, revenue_minor)
    SELECT generation, sku, sum(units), sum(revenue_minor) FROM books JOIN parts ON parts.id <= last_id
    GROUP BY generation, sku
    ON CONFLICT (generation, sku) DO UPDATE
    SET units = known.units + excluded.units, revenue_minor = known.revenue_minor + excluded.revenue_minor
)"""
_TELL: Final = """, days AS (
    INSERT INTO report_days AS known (day, revision)
    SELECT DISTINCT CAST(placed_at AT TIME ZONE 'UTC' AS date), CAST(:turn AS bigint) FROM present
    ON CONFLICT (day) DO UPDATE SET revision = excluded.revision
), changes AS (
    INSERT INTO report_changes (customers, skus, created_at)
    SELECT ARRAY(SELECT DISTINCT customer_id FROM present), ARRAY(SELECT DISTINCT sku FROM parts), min(created_at)
    FROM taken HAVING count(*) > 0
)
SELECT count(*) AS handled FROM taken
"""
_COUNT_MARKS: Final = _MARKED + _ADD_UP + _TELL
_COUNT_ORDERS: Final = _WALKED + _ADD_UP + " SELECT count(*) AS handled FROM present"

_PIECE_END: Final = """
SELECT COALESCE((SELECT id FROM orders WHERE id > CAST(:after AS uuid) ORDER BY id OFFSET :orders LIMIT 1),
                CAST(:last AS uuid)) AS id
"""


class Turn(NamedTuple):
    """Where the reports stand, while this transaction has the turn; `generation` 0: nothing is counted yet."""

    turn: int
    generation: int
    building: int | None
    walked_to: str | None
    edition: int

    @property
    def books(self) -> dict[int, str]:
        """The generations that are kept up, each with the last order that it has taken notice of."""
        books = {self.generation: ALL_ORDERS} if self.generation else {}
        return books | ({self.building: self.walked_to} if self.building and self.walked_to else {})


def take_turn(connection: Connection) -> Turn:
    """Nobody else counts until the end of this transaction. Without any state, a first generation is to be built."""
    return Turn._make(rows_of(connection, _TAKE_TURN)[0])


def count_marks(
    connection: Connection, turn: Turn, most: int | None, after: str = NO_ORDER, up_to: str = ALL_ORDERS
) -> int:
    """Handle marks of these orders, the oldest first, and delete them; how many they were.

    Rule (protocols: reporting): the marks that are deleted are those that were read, in the statement that counts them:
    one that commits meanwhile, with whatever id, is there for the next time.
    """
    given = _books(turn.books) | {"turn": turn.turn, "most": most, "after": after, "up_to": up_to}
    return int(rows_of(connection, _COUNT_MARKS, **given)[0].handled)


def count_orders(connection: Connection, generation: int, after: str, up_to: str) -> int:
    """Count these orders, as they now are, in a generation that has taken no notice of them before; how many."""
    given = _books({generation: ALL_ORDERS}) | {"after": after, "up_to": up_to}
    return int(rows_of(connection, _COUNT_ORDERS, **given)[0].handled)


def _books(books: Mapping[int, str]) -> dict[str, Any]:
    return {"generations": list(books), "up_tos": list(books.values())}


def end_of_piece(connection: Connection, after: str, orders: int) -> str:
    """The last id of the next so many orders; of all orders to come where fewer are left."""
    return str(rows_of(connection, _PIECE_END, after=after, orders=orders - 1, last=ALL_ORDERS)[0].id)


def begin_building(connection: Connection, turn: Turn) -> None:
    """A new generation is to be built from the first order on."""
    run_sql(
        connection,
        "UPDATE report_state SET building = :turn, walked_to = CAST(:none AS uuid), rebuild_asked_at = now()",
        turn=turn.turn,
        none=NO_ORDER,
    )


def note_walked(connection: Connection, up_to: str) -> None:
    """The generation that is built has taken notice of all orders up to here."""
    run_sql(connection, "UPDATE report_state SET walked_to = CAST(:up_to AS uuid)", up_to=up_to)


def finish_building(connection: Connection, turn: Turn) -> None:
    """What was built is read from now on; the boards are to be loaded anew from it."""
    run_sql(
        connection,
        "UPDATE report_state SET generation = building, building = NULL, walked_to = NULL, rebuilt_at = now(),"
        " edition = :turn, is_published = false",
        turn=turn.turn,
    )


def begin_edition(connection: Connection, turn: Turn) -> None:
    """The boards are to be loaded anew; what changed before is part of the totals they are loaded from."""
    run_sql(connection, "UPDATE report_state SET edition = :turn, is_published = false", turn=turn.turn)
    run_sql(connection, "DELETE FROM report_changes")


def note_published(connection: Connection, edition: int) -> bool:
    """The boards may be read from Redis; False where another edition was begun meanwhile."""
    sql = "UPDATE report_state SET is_published = true WHERE edition = :edition"
    return run_sql(connection, sql, edition=edition).rowcount == 1


def forget_changes(connection: Connection, change_ids: Iterable[int]) -> None:
    """These are in Redis."""
    run_sql(connection, "DELETE FROM report_changes WHERE id = ANY(CAST(:ids AS bigint[]))", ids=list(change_ids))


_DROP: Final = """
DELETE FROM {table} WHERE (generation, {key}) IN (
    SELECT generation, {key} FROM {table} WHERE generation < (SELECT generation FROM report_state)
    ORDER BY generation, {key} LIMIT :most)
"""
_TABLES: Final[Sequence[tuple[str, str]]] = (("report_customers", "customer_id"), ("report_products", "sku"))


def drop_old(connection: Connection, most: int) -> int:
    """Delete totals of generations that nobody reads any more; how many."""
    return sum(run_sql(connection, _DROP.format(table=table, key=key), most=most).rowcount for table, key in _TABLES)
