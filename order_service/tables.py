"""The columns of the orders' tables as they are read: what a step needs to know, and what is shown."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from chassis.database import Row
from order_service.domain import Attention, FailureCode, Order, PaymentStatus, Refund, RefundStatus, Status

CONTEXT: Final = "orders"

ORDER_COLUMNS: Final = (
    "id, customer_id, status, previous_status, payment_status, total_minor, currency, payment_method, version, is_held,"
    " is_stock_released, reserved_until, failure_code, attention, next_try_at, created_at"
)
"""What a step needs: neither lines nor notes, which cost more to read than all the rest."""

_STATUSES: Final = {status.value: status for status in Status}
_PAYMENT_STATUSES: Final = {status.value: status for status in PaymentStatus}


def order_of(row: Row, at: datetime) -> Order:
    """The order in a row of ORDER_COLUMNS, about to take steps at `at`."""
    (
        id_, customer_id, status, previous, payment_status, total, currency, method, version, is_held, is_released,
        reserved_until, failure_code, attention, next_try_at, created_at,
    ) = tuple(row)  # fmt: skip
    return Order(
        id_, customer_id, _STATUSES[status], previous and _STATUSES[previous], _PAYMENT_STATUSES[payment_status], total,
        currency, method, version, is_held, is_released, reserved_until, failure_code and FailureCode(failure_code),
        attention and Attention(attention), next_try_at, created_at, at,
    )  # fmt: skip


REFUND_COLUMNS: Final = (
    "id, order_id, idempotency_key, fingerprint, amount_minor, items, restock, reason, created_at, updated_at, status,"
    " failure_message, attention, next_try_at"
)


def refund_of(row: Row) -> Refund:
    """The refund in a row of REFUND_COLUMNS."""
    (
        id_, order_id, key, fingerprint, amount_minor, items, restock, reason, created_at, updated_at,
        status, failure_message, attention, next_try_at,
    ) = tuple(row)  # fmt: skip
    return Refund(
        id_, order_id, key, bytes(fingerprint), amount_minor, items, restock, reason, created_at, updated_at,
        RefundStatus(status), failure_message, attention and Attention(attention), next_try_at,
    )  # fmt: skip


class Standing(NamedTuple):
    """Where an order stands: all of what is shown of it that can change."""

    id: str
    status: str
    payment_status: str
    version: int
    updated_at: datetime
    is_held: bool
    reserved_until: datetime | None
    refunded_minor: int
    attention: str | None
    next_try_at: datetime | None
    failure_code: str | None
    failure_message: str | None
    failure_details: list[dict[str, Any]] | None
    completed_at: datetime | None
    cancelled_at: datetime | None


class Terms(NamedTuple):
    """What an order was placed with: all of what is shown of it that never changes."""

    customer_id: str
    idempotency_key: str
    total_minor: int
    currency: str
    stock_policy: str
    payment_method: str
    external_ref: str | None
    metadata: dict[str, str] | None
    items: list[dict[str, Any]]
    placed_at: datetime
    created_at: datetime


class Shown(NamedTuple):
    """An order as it is shown."""

    standing: Standing
    terms: Terms


_LETTERS: Final = "FROM dead_letters WHERE dead_letters.key = CAST(orders.id AS text)"
_PARKED: Final = {
    # A fact about the order that waits in vain is the last thing that it needs attention for.
    "attention": f"COALESCE(attention, (SELECT min('parked') {_LETTERS})) AS attention",
    "next_try_at": f"COALESCE(orders.next_try_at, (SELECT min(dead_letters.next_try_at) {_LETTERS})) AS next_try_at",
}
STANDING_COLUMNS: Final = ", ".join(Standing._fields)
SHOWN_COLUMNS: Final = ", ".join(_PARKED.get(name, name) for name in Standing._fields + Terms._fields)


def shown_of(row: Row) -> Shown:
    """The order in a row that begins with SHOWN_COLUMNS."""
    middle = len(Standing._fields)
    return Shown(Standing(*row[:middle]), Terms(*row[middle : middle + len(Terms._fields)]))


def standing_of(order: Order) -> Standing:
    """Where an order stands after the steps that it has just taken."""
    is_completed, is_cancelled = order.status is Status.COMPLETED, order.status is Status.CANCELLED
    return Standing(
        id=order.id,
        status=order.status,
        payment_status=order.payment_status,
        version=order.version,
        updated_at=order.at,
        is_held=order.is_held,
        reserved_until=order.reserved_until,
        refunded_minor=order.refunded_minor,
        attention=order.attention,
        next_try_at=order.next_try_at,
        failure_code=order.failure_code,
        failure_message=order.failure_message,
        failure_details=[shortage._asdict() for shortage in order.shortages] or None,
        completed_at=order.at if is_completed else None,
        cancelled_at=order.at if is_cancelled else None,
    )
