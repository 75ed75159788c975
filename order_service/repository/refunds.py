"""Refunds: read and written under the locks of their orders, which must be held already."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import orjson
from sqlalchemy import Connection

from chassis.database import change_all, rows_of, run_sql
from chassis.failpoints import failpoint
from order_service.domain import REFUND_PATIENCE, Order, Refund, Refunds
from order_service.tables import REFUND_COLUMNS, refund_of

_LOAD: Final = f"""
SELECT {REFUND_COLUMNS} FROM refunds WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY created_at, id
"""
_LINES: Final = "SELECT id, items FROM orders WHERE id = ANY(CAST(:order_ids AS uuid[]))"
_INSERT: Final = """
INSERT INTO refunds (order_id, idempotency_key, id, fingerprint, amount_minor, items, restock, reason, status,
                     created_at, updated_at)
SELECT * FROM unnest(CAST(:order_ids AS uuid[]), CAST(:keys AS text[]), CAST(:ids AS uuid[]),
                     CAST(:fingerprints AS bytea[]), CAST(:amounts AS bigint[]), CAST(:items AS jsonb[]),
                     CAST(:restocks AS boolean[]), CAST(:reasons AS text[]), CAST(:statuses AS text[]),
                     CAST(:created_ats AS timestamptz[]), CAST(:updated_ats AS timestamptz[]))
"""
_UPDATE: Final = """
UPDATE refunds SET status = new.status, failure_message = new.failure_message, attention = new.attention,
                   next_try_at = new.next_try_at, updated_at = new.updated_at, asks = 0,
                   next_ask_at = GREATEST(new.updated_at, new.next_try_at) + make_interval(secs => :patience)
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:failure_messages AS text[]),
            CAST(:attentions AS text[]), CAST(:next_try_ats AS timestamptz[]), CAST(:updated_ats AS timestamptz[]))
    AS new (id, status, failure_message, attention, next_try_at, updated_at)
WHERE refunds.id = new.id
"""
_ADD_UP: Final = """
UPDATE orders SET refunded_minor = new.refunded_minor
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:refunded AS bigint[])) AS new (id, refunded_minor)
WHERE orders.id = new.id AND orders.refunded_minor <> new.refunded_minor
"""


_ASKED: Final = """
UPDATE refunds SET asks = asks + 1,
    next_ask_at = now() + make_interval(secs => LEAST(:longest, :first * 2 ^ LEAST(asks, 20)))
WHERE id = ANY(CAST(:ids AS uuid[]))
"""


def note_refunds_asked(connection: Connection, refunds: Sequence[Refund]) -> None:
    """These were asked for again; when nothing comes of it they are asked for once more, later each time."""
    first, longest = REFUND_PATIENCE.first_pause, REFUND_PATIENCE.longest_pause
    run_sql(connection, _ASKED, first=first, longest=longest, ids=[each.id for each in refunds])


def load_refunds(
    connection: Connection, orders: Mapping[str, Order], *, with_lines: bool = False
) -> dict[str, Refunds]:
    """The refunds of these orders, by order; with their lines where new ones are to be judged.

    Rule (protocols: payment, refunds): read after the orders were locked, so that of two refunds at once the second
    one sees the first.
    """
    if not orders:
        return {}
    order_ids = list(orders)
    found: dict[str, list[Refund]] = {order_id: [] for order_id in order_ids}
    for row in rows_of(connection, _LOAD, order_ids=order_ids):
        found[row.order_id].append(refund_of(row))
    bought = _bought(connection, order_ids) if with_lines else {}
    return {id_: Refunds(order, found[id_], bought.get(id_, {})) for id_, order in orders.items()}


def _bought(connection: Connection, order_ids: list[str]) -> dict[str, Counter[str]]:
    bought: dict[str, Counter[str]] = {order_id: Counter() for order_id in order_ids}
    for row in rows_of(connection, _LINES, order_ids=order_ids):
        for line in row.items:
            bought[row.id][line["sku"]] += line["quantity"]
    return bought


def save_refunds(connection: Connection, loaded: Iterable[Refunds]) -> None:
    """Write what changed, and what the orders show of it."""
    changed = [(refunds, [*refunds.changed]) for refunds in loaded]
    new = [each for _, refunds in changed for each in refunds if each.is_new]
    old = [each for _, refunds in changed for each in refunds if not each.is_new]
    if new:
        _insert(connection, new)
    if old:
        _update(connection, old)
    failpoint("orders.refund.after_rows")
    orders = [refunds for refunds, theirs in changed if theirs]
    if orders:
        order_ids = [refunds.order.id for refunds in orders]
        run_sql(connection, _ADD_UP, order_ids=order_ids, refunded=[refunds.refunded_minor for refunds in orders])


def _insert(connection: Connection, refunds: list[Refund]) -> None:
    run_sql(
        connection,
        _INSERT,
        order_ids=[each.order_id for each in refunds],
        keys=[each.idempotency_key for each in refunds],
        ids=[each.id for each in refunds],
        fingerprints=[each.fingerprint for each in refunds],
        amounts=[each.amount_minor for each in refunds],
        items=[orjson.dumps(each.items).decode() for each in refunds],
        restocks=[each.restock for each in refunds],
        reasons=[each.reason for each in refunds],
        statuses=[each.status for each in refunds],
        created_ats=[each.created_at for each in refunds],
        updated_ats=[each.updated_at for each in refunds],
    )


def _update(connection: Connection, refunds: list[Refund]) -> None:
    change_all(
        connection,
        _UPDATE,
        len(refunds),
        "refunds",
        patience=REFUND_PATIENCE.allowed,
        ids=[each.id for each in refunds],
        statuses=[each.status for each in refunds],
        failure_messages=[each.failure_message for each in refunds],
        attentions=[each.attention for each in refunds],
        next_try_ats=[each.next_try_at for each in refunds],
        updated_ats=[each.updated_at for each in refunds],
    )
