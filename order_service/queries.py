"""What may be read of orders: straight SQL into the shape asked for."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection

from chassis import ids
from chassis.database import Row, rows_of
from chassis.errors import ValidationFailed
from order_service.domain import OrderNotFound, OrderPlaced, PaymentStatus, Product, Status, Stuck, Wait
from order_service.tables import SHOWN_COLUMNS, STANDING_COLUMNS, Shown, Standing, shown_of

_HAPPY_AND_UNFINISHED: Final = frozenset({"PENDING", "RESERVED", "PAYMENT_PROCESSING"})
_LINES_A_PAGE: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def get_orders(connection: Connection, order_ids: Sequence[str]) -> dict[str, Shown]:
    """These orders by their ids, those that exist."""
    sql = f"SELECT {SHOWN_COLUMNS} FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))"
    return {row.id: shown_of(row) for row in rows_of(connection, sql, ids=list(order_ids))}


class Known(NamedTuple):
    """An order that stands under a key, with the fingerprint of the request that made it."""

    shown: Shown
    fingerprint: bytes


def orders_under(connection: Connection, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Known]:
    """The orders under these (customer, key) pairs, where there are any."""
    sql = (
        f"SELECT {SHOWN_COLUMNS}, fingerprint FROM orders JOIN unnest(CAST(:customer_ids AS text[]),"
        " CAST(:keys AS text[])) AS wanted (customer_id, idempotency_key) USING (customer_id, idempotency_key)"
    )
    rows = rows_of(connection, sql, customer_ids=[pair[0] for pair in keys], keys=[pair[1] for pair in keys])
    return {(row.customer_id, row.idempotency_key): Known(shown_of(row), bytes(row.fingerprint)) for row in rows}


def standings_decided(connection: Connection, order_ids: Sequence[str]) -> list[Standing]:
    """Where those of these orders stand that are not PENDING any more."""
    sql = f"SELECT {STANDING_COLUMNS} FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) AND status <> 'PENDING'"
    return [Standing._make(row) for row in rows_of(connection, sql, ids=list(order_ids))]


def due_ids(connection: Connection, piece: int) -> list[str]:
    """The unfinished orders that are to be looked at by now, those that wait for it longest first."""
    sql = "SELECT order_id FROM unfinished WHERE next_ask_at <= now() ORDER BY next_ask_at LIMIT :piece"
    return [row.order_id for row in rows_of(connection, sql, piece=piece)]


def unscheduled_ids(connection: Connection, after: str, piece: int) -> list[str]:
    """The next unfinished orders behind an id of which nobody has said yet when they are to be looked at."""
    rows = rows_of(
        connection,
        "SELECT order_id FROM unfinished WHERE order_id > CAST(:after AS uuid) AND next_ask_at IS NULL"
        " ORDER BY order_id LIMIT :piece",
        after=after,
        piece=piece,
    )
    return [row.order_id for row in rows]


def waits_of(connection: Connection, order_ids: Sequence[str]) -> list[Wait]:
    """How long these orders have stayed where they stand, by their ids; those that may be looked at by now."""
    rows = rows_of(
        connection,
        "SELECT id, status, updated_at, next_try_at, reserved_until, created_at"
        " FROM unfinished JOIN orders ON orders.id = order_id WHERE order_id = ANY(CAST(:ids AS uuid[]))"
        " AND (next_ask_at IS NULL OR next_ask_at <= now()) ORDER BY id",
        ids=list(order_ids),
    )
    return [Wait(row[0], Status(row[1]), *row[2:]) for row in rows]


def due_refunds(connection: Connection, piece: int, order_ids: Sequence[str] = ()) -> dict[str, str]:
    """The open refunds that nobody has answered for too long, with their orders; of all orders, or of these."""
    return {row.id: row.order_id for row in rows_of(connection, _DUE, piece=piece, order_ids=list(order_ids))}


_DUE: Final = """
SELECT id, order_id FROM refunds WHERE status IN ('PENDING', 'UNKNOWN') AND next_ask_at <= now()
    AND (cardinality(CAST(:order_ids AS uuid[])) = 0 OR order_id = ANY(CAST(:order_ids AS uuid[])))
ORDER BY next_ask_at LIMIT :piece
"""


def placed_of(connection: Connection, order_ids: Sequence[str]) -> dict[str, OrderPlaced]:
    """What these orders told when they were placed."""
    sql = "SELECT id, items, stock_policy, placed_at FROM orders WHERE id = ANY(CAST(:ids AS uuid[]))"
    return {
        row.id: OrderPlaced([(line["sku"], line["quantity"]) for line in row.items], row.stock_policy, row.placed_at)
        for row in rows_of(connection, sql, ids=list(order_ids))
    }


def backlog_seconds(connection: Connection) -> float:
    """For how long the oldest of our own facts has waited to be relayed."""
    sql = (
        "SELECT COALESCE(EXTRACT(epoch FROM now() - (SELECT created_at FROM outbox ORDER BY id LIMIT 1)), 0) AS seconds"
    )
    return float(rows_of(connection, sql)[0].seconds)


def stuck_orders(connection: Connection, page_size: int, page_token: str) -> tuple[list[Stuck], str]:
    """A page of the orders that were asked after in vain, themselves or a refund, newest first; the next page's token.

    Raises ValidationFailed for a token that is not one of this list.
    """
    if page_token and not ids.is_id(page_token):
        raise ValidationFailed("the request is not valid", fields={"page_token": ["is not a token of this list"]})
    rows = rows_of(connection, _STUCK, before=page_token or _LAST, limit=page_size + 1)
    found = [Stuck(row[0], row[1], Status(row[2]), PaymentStatus(row[3]), *row[4:]) for row in rows[:page_size]]
    return found, found[-1].id if len(rows) > page_size else ""


_LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_STUCK: Final = """
WITH asked AS (
    (SELECT order_id, asks, next_ask_at FROM unfinished
     WHERE asks > 0 AND order_id < CAST(:before AS uuid) ORDER BY order_id DESC LIMIT :limit)
    UNION ALL
    (SELECT order_id, max(asks), min(next_ask_at) FROM refunds
     WHERE status IN ('PENDING', 'UNKNOWN') AND asks > 0 AND order_id < CAST(:before AS uuid)
     GROUP BY order_id ORDER BY order_id DESC LIMIT :limit)
)
SELECT orders.id, customer_id, status, payment_status, attention, updated_at, is_stock_released, asks,
    next_ask_at, (SELECT error FROM dead_letters WHERE key = CAST(orders.id AS text) ORDER BY parked_at LIMIT 1)
FROM asked JOIN orders ON orders.id = order_id ORDER BY order_id DESC LIMIT :limit
"""


class Waiting(NamedTuple):
    """How many orders wait in one status, or for one attention, and how long the oldest has been there."""

    name: str
    orders: int
    oldest_seconds: float


_FIGURES: Final = "count(*) AS orders, EXTRACT(epoch FROM now() - min(updated_at)) AS seconds"


def waiting_orders(connection: Connection) -> list[Waiting]:
    """What is unfinished, by status; a job's question, for it reads all of them."""
    sql = f"SELECT status AS name, {_FIGURES} FROM unfinished JOIN orders ON orders.id = order_id GROUP BY 1"
    return [Waiting(row.name, int(row.orders), float(row.seconds)) for row in rows_of(connection, sql)]


def attended_orders(connection: Connection) -> list[Waiting]:
    """What needs attention, by what for; orders that have ended as well, whose money is still on its way back."""
    sql = f"SELECT attention AS name, {_FIGURES} FROM orders WHERE attention IS NOT NULL GROUP BY 1"
    return [Waiting(row.name, int(row.orders), float(row.seconds)) for row in rows_of(connection, sql)]


def stuck_count(connection: Connection) -> int:
    """How many orders, and refunds, were asked after in vain since they were last heard of."""
    sql = (
        "SELECT (SELECT count(*) FROM unfinished WHERE asks > 0)"
        " + (SELECT count(*) FROM refunds WHERE status IN ('PENDING', 'UNKNOWN') AND asks > 0) AS orders"
    )
    return int(rows_of(connection, sql)[0].orders)


def products_of(connection: Connection, skus: Iterable[str]) -> dict[str, Product]:
    """Those of these products that the price copy has."""
    if not (wanted := list(skus)):
        return {}
    sql = (
        "SELECT sku, name, price_minor, currency, is_active, version FROM prices WHERE sku = ANY(CAST(:skus AS text[]))"
    )
    return {row.sku: Product._make(row) for row in rows_of(connection, sql, skus=wanted)}


def timeline_of(connection: Connection, order_id: str) -> Sequence[Row]:
    """Every step of an order, oldest first. Raises OrderNotFound."""
    rows = rows_of(
        connection,
        "SELECT version, from_status, to_status, reason, actor, at, trace_id FROM timeline"
        " WHERE order_id = CAST(:id AS uuid) ORDER BY version",
        id=order_id,
    )
    if not rows:
        raise OrderNotFound(f"there is no order {order_id}")
    return rows


class Filters(NamedTuple):
    """Which orders are asked for; all that is given must hold."""

    customer_id: str
    status: str | None
    placed_after: datetime | None
    placed_before: datetime | None


def list_orders(connection: Connection, filters: Filters, page_size: int, page_token: str) -> tuple[list[Shown], str]:
    """A page of orders, newest first, and the token of the next page (empty: this was the last).

    Raises ValidationFailed for a token that is not one of this list. A page of very long orders ends early.
    """
    last = _place_in(page_token, filters) if page_token else None
    conditions = " AND ".join(_conditions(filters, last))
    sql = f"SELECT {SHOWN_COLUMNS} FROM orders WHERE {conditions} ORDER BY placed_at DESC, id DESC LIMIT :limit"
    found = [shown_of(row) for row in rows_of(connection, sql, limit=page_size + 1, **_parameters(filters, last))]
    page = _cut(found[:page_size])
    return page, _token_behind(page[-1], filters) if len(found) > len(page) else ""


def _cut(found: Sequence[Shown]) -> list[Shown]:
    """As many as make an answer of bearable size, and at least one."""
    lines = 0
    for place, shown in enumerate(found):
        lines += len(shown.terms.items)
        if lines > _LINES_A_PAGE and place:
            return list(found[:place])
    return list(found)


def _conditions(filters: Filters, last: tuple[datetime, str] | None) -> list[str]:
    conditions = ["true"]
    if filters.customer_id:
        conditions.append("customer_id = :customer_id")
    if filters.status in _HAPPY_AND_UNFINISHED:
        # No index of the orders themselves knows these: it would be written at every step.
        conditions.append("id = ANY(ARRAY(SELECT order_id FROM unfinished)) AND status = :status")
    elif filters.status == "COMPLETED":
        conditions.append("status = :status")
    elif filters.status:
        conditions.append("unusual = :status")
    if filters.placed_after:
        conditions.append("placed_at >= :placed_after")
    if filters.placed_before:
        conditions.append("placed_at < :placed_before")
    if last:
        conditions.append("(placed_at, id) < (:last_at, CAST(:last_id AS uuid))")
    return conditions


def _parameters(filters: Filters, last: tuple[datetime, str] | None) -> dict[str, object]:
    given = {name: value for name, value in filters._asdict().items() if value}
    return given | ({"last_at": last[0], "last_id": last[1]} if last else {})


def _seal(filters: Filters) -> str:
    """What binds a token to the filters it was given out for."""
    return blake2b(orjson.dumps(list(filters)), digest_size=6).hexdigest()


def _token_behind(shown: Shown, filters: Filters) -> str:
    microseconds = (shown.terms.placed_at - _EPOCH) // (datetime.resolution)
    content = orjson.dumps([_seal(filters), microseconds, shown.standing.id])
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _place_in(token: str, filters: Filters) -> tuple[datetime, str]:
    try:
        seal, microseconds, order_id = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        at = _EPOCH + datetime.resolution * microseconds
        is_ours = seal == _seal(filters) and ids.is_id(order_id)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        is_ours = False
    if not is_ours:
        raise ValidationFailed("the request is not valid", fields={"page_token": ["is not a token of this list"]})
    return at, order_id
