"""Orders as they are shown."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.money import format_amount
from order_service.domain import InsufficientStock, PaymentStatus, Status, StockPolicy
from order_service.tables import Shown, Standing
from protos.orders.v1 import orders_pb2 as pb

_STATUSES: Final = {status.value: getattr(pb, f"ORDER_STATUS_{status}") for status in Status}
_PAYMENT_STATUSES: Final = {status.value: getattr(pb, f"PAYMENT_STATUS_{status}") for status in PaymentStatus}
_POLICIES: Final = {policy.value: getattr(pb, f"STOCK_POLICY_{policy}") for policy in StockPolicy}
_STATUS_NAMES: Final = {int(number): name for name, number in _STATUSES.items()}

_amount: Final = lru_cache(maxsize=8192)(format_amount)


def order_to_proto(shown: Shown) -> pb.Order:
    """An order as it is shown."""
    terms = shown.terms
    message = pb.Order(
        customer_id=terms.customer_id,
        total_amount=_amount(terms.total_minor, terms.currency),
        currency=terms.currency,
        idempotency_key=terms.idempotency_key,
        items=[_item(line, terms.currency) for line in terms.items],
        stock_policy=_POLICIES[terms.stock_policy],
        payment_method=terms.payment_method,
        external_ref=terms.external_ref,
        metadata=terms.metadata,
        placed_at=timestamp(terms.placed_at),
        created_at=timestamp(terms.created_at),
    )
    message.MergeFrom(_standing_to_proto(shown.standing, terms.currency))
    return message


def update_order(message: pb.Order, standing: Standing) -> None:
    """Write into a message where its order stands now."""
    for name in _MAY_BE_ABSENT:
        message.ClearField(name)
    message.MergeFrom(_standing_to_proto(standing, message.currency))


_MAY_BE_ABSENT: Final = (
    "reserved_until", "attention", "next_try_at", "failure_code", "failure_message", "completed_at", "cancelled_at",
)  # fmt: skip


def _standing_to_proto(standing: Standing, currency: str) -> pb.Order:
    return pb.Order(
        id=standing.id,
        status=_STATUSES[standing.status],
        payment_status=_PAYMENT_STATUSES[standing.payment_status],
        refunded_amount=_amount(standing.refunded_minor, currency),
        version=standing.version,
        updated_at=timestamp(standing.updated_at),
        reserved_until=timestamp(standing.reserved_until),
        attention=standing.attention,
        next_try_at=timestamp(standing.next_try_at),
        failure_code=standing.failure_code,
        failure_message=standing.failure_message,
        completed_at=timestamp(standing.completed_at),
        cancelled_at=timestamp(standing.cancelled_at),
    )


def _item(line: Mapping[str, Any], currency: str) -> pb.OrderItem:
    quantity, price = line["quantity"], line["unit_price_minor"]
    return pb.OrderItem(
        sku=line["sku"],
        name=line["name"],
        quantity=quantity,
        unit_price=_amount(price, currency),
        line_total=_amount(quantity * price, currency),
    )


def insufficient_stock(standing: Standing) -> InsufficientStock:
    """The refusal of an order that was stored, and failed for lack of stock."""
    shortages = [pb.Shortage(**shortage) for shortage in standing.failure_details or ()]
    return InsufficientStock(
        standing.failure_message or "stock does not suffice",
        details=[pb.InsufficientStock(order_id=standing.id, shortages=shortages)],
    )


def step_to_proto(row: Any) -> pb.TimelineStep:
    """A row of the timeline."""
    step = pb.TimelineStep(
        version=row.version,
        to=_STATUSES[row.to_status],
        reason=row.reason,
        actor=row.actor,
        at=timestamp(row.at),
        trace_id=(row.trace_id or "").replace("-", ""),
    )
    if row.from_status is not None:
        setattr(step, "from", _STATUSES[row.from_status])
    return step


def status_name(number: int) -> str | None:
    """The status that a filter names; None where it names none."""
    return _STATUS_NAMES[number] if number else None


@lru_cache(maxsize=256)
def timestamp(instant: datetime | None) -> Timestamp | None:
    """An instant on the wire, kept for a while: the orders of a batch share theirs; nobody changes what this gives."""
    if instant is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
