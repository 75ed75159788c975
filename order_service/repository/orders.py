"""Orders as they change: rows locked in order of their ids, changes written back in one statement for each table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection

from chassis import clock, tracing
from chassis.database import change_all, rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.outbox import tell
from order_service import wire
from order_service.domain import Order, Refunds, Status, Step
from order_service.repository.refunds import load_refunds, save_refunds
from order_service.repository.unfinished import note_moved
from order_service.tables import CONTEXT, ORDER_COLUMNS, order_of

REFUNDS_OF: Final = "refunds of "
"""Begins a key that names an order's refunds beside it; behind every id in order."""
_STEPS_OF_AN_UPDATE: Final = 2

_LOAD: Final = f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
_UPDATE: Final = """
UPDATE orders SET
    version = new.version, status = new.status, previous_status = new.previous_status,
    payment_status = new.payment_status, is_held = new.is_held, is_stock_released = new.is_stock_released,
    reserved_until = new.reserved_until, attention = new.attention, next_try_at = new.next_try_at,
    failure_code = new.failure_code, failure_message = COALESCE(new.failure_message, orders.failure_message),
    failure_details = COALESCE(new.failure_details, orders.failure_details), updated_at = :at,
    completed_at = CASE WHEN new.status = 'COMPLETED' THEN COALESCE(orders.completed_at, :at) END,
    cancelled_at = CASE WHEN new.status = 'CANCELLED' THEN COALESCE(orders.cancelled_at, :at) END
FROM unnest(CAST(:ids AS uuid[]), CAST(:versions_before AS integer[]), CAST(:versions AS integer[]),
            CAST(:statuses AS text[]), CAST(:previous_statuses AS text[]), CAST(:payment_statuses AS text[]),
            CAST(:held AS boolean[]), CAST(:released AS boolean[]), CAST(:reserved_untils AS timestamptz[]),
            CAST(:attentions AS text[]), CAST(:next_try_ats AS timestamptz[]), CAST(:failure_codes AS text[]),
            CAST(:failure_messages AS text[]), CAST(:failure_details AS jsonb[]))
    AS new (id, version_before, version, status, previous_status, payment_status, is_held, is_stock_released,
            reserved_until, attention, next_try_at, failure_code, failure_message, failure_details)
WHERE orders.id = new.id AND orders.version = new.version_before
"""
_STEP_ON: Final = """
UPDATE orders SET version = new.version, status = new.status, previous_status = new.previous_status
FROM unnest(CAST(:ids AS uuid[]), CAST(:versions_before AS integer[]), CAST(:versions AS integer[]),
            CAST(:statuses AS text[]), CAST(:previous_statuses AS text[]))
    AS new (id, version_before, version, status, previous_status)
WHERE orders.id = new.id AND orders.version = new.version_before
"""
_TIMELINE: Final = """
INSERT INTO timeline (order_id, version, from_status, to_status, reason, actor, at, trace_id)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:from_statuses AS text[]),
                     CAST(:to_statuses AS text[]), CAST(:reasons AS text[]), CAST(:actors AS text[]),
                     CAST(:ats AS timestamptz[]), CAST(:trace_ids AS uuid[]))
"""
_FINISH: Final = """
WITH ended AS (DELETE FROM unfinished WHERE order_id = ANY(CAST(:ids AS uuid[])))
INSERT INTO report_marks (order_id) SELECT unnest(CAST(:completed AS uuid[]))
"""


@dataclass(slots=True)
class Loaded:
    """Some orders, locked: as they are, and as they become."""

    at: datetime
    orders: dict[str, Order]
    refunds: dict[str, Refunds] = field(default_factory=dict)
    """By order, where they were asked for."""
    changed: list[Order] = field(default_factory=list)
    """After `save`: those that took a step or were noted something."""


def load(connection: Connection, order_ids: Sequence[str]) -> Loaded:
    """These orders, those that exist.

    Rule (protocols: events in): rows are locked in order of their ids before anything is decided, so that two batches
    with the same orders never wait for each other in a circle, and what is decided is decided on what now is.
    """
    at = clock.now()
    orders = (order_of(row, at) for row in rows_of(connection, _LOAD, ids=order_ids))
    return Loaded(at, {order.id: order for order in orders})


def load_touched(connection: Connection, keys: Sequence[str]) -> Loaded:
    """What facts touch, by their sorted keys: orders, and the refunds of those that a key names with REFUNDS_OF."""
    if not keys or keys[-1] < REFUNDS_OF:
        return load(connection, keys)
    loaded = load(connection, [key for key in keys if not key.startswith(REFUNDS_OF)])
    named = {key.removeprefix(REFUNDS_OF) for key in keys}
    loaded.refunds = load_refunds(connection, {id_: order for id_, order in loaded.orders.items() if id_ in named})
    return loaded


def save(connection: Connection, loaded: Loaded) -> None:
    """Write what changed, its steps and what is to be told. Raises LostUpdate when somebody was quicker.

    Rule (architecture, life of an order): status, timeline row, version and outbox row in one transaction.
    """
    loaded.changed = [order for order in loaded.orders.values() if order.steps]
    if loaded.changed:
        _step_on(connection, loaded.changed)
        _update(connection, loaded.changed, loaded.at)
        failpoint("orders.save.after_orders")
        _write_timeline(connection, loaded.changed)
        failpoint("orders.save.after_timeline")
        _finish(connection, loaded.changed)
        note_moved(connection, loaded.changed, loaded.at)
    if loaded.refunds:
        save_refunds(connection, loaded.refunds.values())
    tell(connection, wire.outgoing_of(loaded.orders.values()), CONTEXT)
    failpoint("orders.save.after_tell")


def _step_on(connection: Connection, orders: Iterable[Order]) -> None:
    """Take all steps but the last two where there are more: the database follows two in an update."""
    while far := [(order, steps) for order in orders if len(steps := _moves_left(order)) > _STEPS_OF_AN_UPDATE]:
        landings = [(order, steps[_STEPS_OF_AN_UPDATE - 1]) for order, steps in far]
        change_all(
            connection,
            _STEP_ON,
            len(landings),
            "orders",
            ids=[order.id for order, _ in landings],
            versions_before=[order.stored_version for order, _ in landings],
            versions=[step.version for _, step in landings],
            statuses=[step.status for _, step in landings],
            previous_statuses=[step.previous for _, step in landings],
        )
        for order, step in landings:
            order.stored_version = step.version


def _moves_left(order: Order) -> list[Step]:
    if len(order.steps) <= _STEPS_OF_AN_UPDATE:
        return order.steps
    return [step for step in order.steps if step.is_move and step.version > order.stored_version]


def _update(connection: Connection, orders: Sequence[Order], at: datetime) -> None:
    change_all(
        connection,
        _UPDATE,
        len(orders),
        "orders",
        at=at,
        ids=[order.id for order in orders],
        versions_before=[order.stored_version for order in orders],
        versions=[order.version for order in orders],
        statuses=[order.status for order in orders],
        previous_statuses=[order.previous_status for order in orders],
        payment_statuses=[order.payment_status for order in orders],
        held=[order.is_held for order in orders],
        released=[order.is_stock_released for order in orders],
        reserved_untils=[order.reserved_until for order in orders],
        attentions=[order.attention for order in orders],
        next_try_ats=[order.next_try_at for order in orders],
        failure_codes=[order.failure_code for order in orders],
        failure_messages=[order.failure_message for order in orders],
        failure_details=[_details_of(order) for order in orders],
    )


def _details_of(order: Order) -> str | None:
    if not order.shortages:
        return None
    return orjson.dumps([shortage._asdict() for shortage in order.shortages]).decode()


def _write_timeline(connection: Connection, orders: Iterable[Order]) -> None:
    steps = [(order.id, step) for order in orders for step in order.steps]
    run_sql(
        connection,
        _TIMELINE,
        ids=[order_id for order_id, _ in steps],
        versions=[step.version for _, step in steps],
        from_statuses=[step.previous for _, step in steps],
        to_statuses=[step.status for _, step in steps],
        reasons=[step.reason for _, step in steps],
        actors=[step.actor for _, step in steps],
        ats=[step.at for _, step in steps],
        trace_ids=[tracing.trace_id_of(step.traceparent) or None for _, step in steps],
    )


def _finish(connection: Connection, orders: Iterable[Order]) -> None:
    """They are unfinished no more.

    Rule (protocols: reporting): what is completed is marked in the same transaction, and inserted only: a row that two
    batches had to share would make one wait for the other. A mark names the order, and thereby customer, SKUs and day.
    """
    ended = [order for order in orders if order.has_ended and any(step.is_move for step in order.steps)]
    if ended:
        completed = [order.id for order in ended if order.status is Status.COMPLETED]
        run_sql(connection, _FINISH, ids=[order.id for order in ended], completed=completed)
