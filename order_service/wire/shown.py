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
    )
    message.placed_at.FromDatetime(terms.placed_at)
    message.created_at.FromDatetime(terms.created_at)
    update_order(message, shown.standing)
    return message


def update_order(message: pb.Order, standing: Standing) -> None:
    """Write into a message where its order stands now."""
    message.id = standing.id
    message.status = _STATUSES[standing.status]
    message.payment_status = _PAYMENT_STATUSES[standing.payment_status]
    message.refunded_amount = _amount(standing.refunded_minor, message.currency)
    message.version = standing.version
    message.updated_at.FromDatetime(standing.updated_at)
    for name in ("attention", "failure_code", "failure_message"):
        if (text := getattr(standing, name)) is not None:
            setattr(message, name, text)
        else:
            message.ClearField(name)
    for name in ("reserved_until", "next_try_at", "completed_at", "cancelled_at"):
        if (at := getattr(standing, name)) is not None:
            getattr(message, name).FromDatetime(at)
        else:
            message.ClearField(name)


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
        at=_timestamp(row.at),
        trace_id=(row.trace_id or "").replace("-", ""),
    )
    if row.from_status is not None:
        setattr(step, "from", _STATUSES[row.from_status])
    return step


def status_name(number: int) -> str | None:
    """The status that a filter names; None where it names none."""
    return _STATUS_NAMES[number] if number else None


def _timestamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
