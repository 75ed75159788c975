"""Orders for tests, and facts that others tell of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from chassis import ids
from chassis.envelope import Outgoing, Received, open_envelope, seal, type_of
from order_service.domain import FailureCode, Order, PaymentStatus, Refunds, Status
from order_service.event_handlers import HANDLERS
from order_service.repository import Loaded
from protos.inventory.events.v1 import events_pb2 as inventory
from protos.payments.events.v1 import events_pb2 as payments
from protos.suppliers.events.v1 import events_pb2 as suppliers

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
ORDER_ID = "0190b6b2-0000-7000-8000-000000000001"

_BEFORE = {
    Status.PENDING: None,
    Status.AWAITING_RESTOCK: Status.PENDING,
    Status.RESERVED: Status.PENDING,
    Status.PAYMENT_PROCESSING: Status.RESERVED,
    Status.COMPLETED: Status.PAYMENT_PROCESSING,
    Status.CANCELLING: Status.RESERVED,
    Status.CANCELLED: Status.CANCELLING,
    Status.COMPENSATING: Status.PAYMENT_PROCESSING,
    Status.FAILED: Status.COMPENSATING,
    Status.EXPIRED: Status.COMPENSATING,
}
_PAYMENT = {
    Status.PENDING: PaymentStatus.NONE,
    Status.AWAITING_RESTOCK: PaymentStatus.NONE,
    Status.RESERVED: PaymentStatus.PENDING,
    Status.PAYMENT_PROCESSING: PaymentStatus.PENDING,
    Status.COMPLETED: PaymentStatus.PAID,
    Status.CANCELLING: PaymentStatus.PENDING,
    Status.CANCELLED: PaymentStatus.FAILED,
    Status.COMPENSATING: PaymentStatus.FAILED,
    Status.FAILED: PaymentStatus.FAILED,
    Status.EXPIRED: PaymentStatus.FAILED,
}
_FAILURE = {
    Status.COMPENSATING: FailureCode.PAYMENT_DECLINED,
    Status.FAILED: FailureCode.PAYMENT_DECLINED,
    Status.EXPIRED: FailureCode.RESERVATION_EXPIRED,
}


def an_order(status: Status = Status.PENDING, **changes: Any) -> Order:
    """An order as it usually stands in this state."""
    usual: dict[str, Any] = {
        "id": ORDER_ID,
        "customer_id": "c-17",
        "status": status,
        "previous_status": _BEFORE[status],
        "payment_status": _PAYMENT[status],
        "total_minor": 510,
        "currency": "GBP",
        "payment_method": "sim_ok",
        "version": 3,
        "is_held": status not in (Status.PENDING, Status.AWAITING_RESTOCK),
        "is_stock_released": status in (Status.CANCELLED, Status.FAILED, Status.EXPIRED),
        "reserved_until": NOON + timedelta(minutes=10) if status is Status.RESERVED else None,
        "failure_code": _FAILURE.get(status),
        "attention": None,
        "next_try_at": None,
        "created_at": NOON,
        "at": NOON + timedelta(seconds=1),
        "actor": "somebody",
        "traceparent": TRACE,
    }
    return Order(**usual | changes)


def facts(order: Order) -> list[type]:
    """What the order has to tell."""
    return [type(fact) for fact in order.facts]


def steps(order: Order) -> list[tuple[Status | None, Status]]:
    """The steps that the order has just taken."""
    return [(step.previous, step.status) for step in order.steps]


def hear(order: Order | None, *messages: Message) -> None:
    """Let the handlers make of these facts what they make of them."""
    loaded = Loaded(NOON, {order.id: order}, {order.id: Refunds(order, [])}) if order else Loaded(NOON, {})
    for message in messages:
        HANDLERS[type(message)].apply(loaded, received(message))


def received(message: Any) -> Received[Any]:
    """A message as the consumer hands it over."""
    told = Outgoing("a.topic", message.order_id, message, 1, TRACE)
    return open_envelope(seal(told, "somebody", NOON), {type_of(type(message)): type(message)})


def stamp(minutes: float) -> Any:
    """So many minutes after noon."""
    message = payments.PaymentStarted()
    message.started_at.FromDatetime(NOON + timedelta(minutes=minutes))
    return message.started_at


def a_shortage(sku: str = "A", requested: int = 5, available: int = 2, held: int = 0) -> inventory.Shortage:
    return inventory.Shortage(
        sku=sku, requested=requested, available=available, held=held, supplier="acme", supplier_scenario="ok"
    )


def every_fact() -> list[Message]:
    """One of each fact that orders listens to."""
    told: dict[str, Any] = {"order_id": ORDER_ID}
    paid = told | {"payment_id": ids.new_id()}
    goods = told | {"sku": "A", "supplier_order_id": ids.new_id()}
    return [
        inventory.StockReserved(**told, expires_at=stamp(10)),
        inventory.StockRejected(**told, shortages=[a_shortage()]),
        inventory.StockShortage(**told, shortages=[a_shortage(held=2)]),
        inventory.StockReleased(**told),
        payments.PaymentStarted(**paid, started_at=stamp(0)),
        payments.PaymentCaptured(**paid, started_at=stamp(0), amount_minor=510, currency="GBP"),
        payments.PaymentDeclined(**paid, started_at=stamp(0), decline_reason="No funds."),
        payments.PaymentUnavailable(**paid, started_at=stamp(0)),
        payments.PaymentUnknown(**paid, started_at=stamp(0), next_try_at=stamp(5)),
        payments.PaymentClosed(**told),
        payments.PaymentVoided(**paid),
        payments.PaymentAttention(**told, attention="payment_operator", next_try_at=stamp(60)),
        payments.RefundSucceeded(**told, refund_id=ids.new_id(), amount_minor=510),
        payments.RefundFailed(**told, refund_id=ids.new_id(), reason="No."),
        payments.RefundDelayed(**told, refund_id=ids.new_id(), attention="payment_unknown", next_try_at=stamp(5)),
        suppliers.SupplierOrderRejected(**goods, reason="Never heard of it."),
        suppliers.SupplierOrderFailed(**goods, failure_code="supplier_delayed"),
        suppliers.SupplierOrderAccepted(**goods),
        suppliers.SupplierOrderDelayed(**goods, next_check_at=stamp(15)),
        suppliers.SupplierOrderUnreachable(**goods, next_try_at=stamp(1)),
    ]


def a_fact(kind: type[Any]) -> Any:
    """One of this kind."""
    return next(fact for fact in every_fact() if type(fact) is kind)
