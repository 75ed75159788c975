"""What orders tell other contexts: each fact of the domain as a message on the topic of those who need it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from chassis.envelope import Outgoing
from order_service import domain
from order_service.domain import Fact, GiveUpReason, Order, StockPolicy, Wanted
from order_service.tables import Terms
from protos.orders.events.v1 import events_pb2 as orders
from protos.payments.events.v1 import events_pb2 as payments
from protos.suppliers.events.v1 import events_pb2 as suppliers

_ORDERS: Final = "orders.events"
_PAYMENTS: Final = "payments.requests"
_SUPPLIERS: Final = "suppliers.requests"

_POLICIES: Final = {policy.value: getattr(orders, f"STOCK_POLICY_{policy}") for policy in StockPolicy}
_REASONS: Final = {reason: getattr(payments, f"GIVE_UP_REASON_{reason}") for reason in GiveUpReason}


def outgoing_of(orders: Iterable[Order]) -> list[Outgoing]:
    """What orders have to tell after their last steps, for the outbox."""
    told: list[Outgoing] = []
    for order in orders:
        for fact in order.facts:
            topic, message_of = _FACES[type(fact)]
            told.append(Outgoing(topic, order.id, message_of(order, fact), order.version, order.traceparent))
    return told


def order_placed(order_id: str, terms: Terms, wanted: Sequence[Wanted], traceparent: str) -> Outgoing:
    """The first fact of an order."""
    message = orders.OrderPlaced(
        order_id=order_id,
        customer_id=terms.customer_id,
        lines=[orders.Line(sku=line.sku, quantity=line.quantity) for line in wanted],
        stock_policy=_POLICIES[terms.stock_policy],
        total_amount_minor=terms.total_minor,
        currency=terms.currency,
    )
    message.placed_at.FromDatetime(terms.placed_at)
    return Outgoing(_ORDERS, order_id, message, 1, traceparent)


def _placed(order: Order, fact: domain.OrderPlaced) -> Message:
    message = orders.OrderPlaced(
        order_id=order.id,
        customer_id=order.customer_id,
        lines=[orders.Line(sku=sku, quantity=quantity) for sku, quantity in fact.lines],
        stock_policy=_POLICIES[fact.stock_policy],
        total_amount_minor=order.total_minor,
        currency=order.currency,
    )
    message.placed_at.FromDatetime(fact.placed_at)
    return message


def _completed(order: Order, _fact: Any) -> Message:
    return orders.OrderCompleted(
        order_id=order.id,
        customer_id=order.customer_id,
        total_amount_minor=order.total_minor,
        currency=order.currency,
    )


def _compensating(order: Order, _fact: Any) -> Message:
    return orders.OrderCompensating(order_id=order.id, failure_code=order.failure_code or "")


def _cancelling(order: Order, _fact: Any) -> Message:
    return orders.OrderCancelling(order_id=order.id)


def _failed(order: Order, _fact: Any) -> Message:
    return orders.OrderFailed(
        order_id=order.id, failure_code=order.failure_code or "", failure_message=order.failure_message or ""
    )


def _cancelled(order: Order, _fact: Any) -> Message:
    return orders.OrderCancelled(order_id=order.id)


def _expired(order: Order, _fact: Any) -> Message:
    return orders.OrderExpired(order_id=order.id)


def _payment(order: Order, fact: domain.PaymentRequested) -> Message:
    message = payments.PaymentRequested(
        order_id=order.id,
        customer_id=order.customer_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        payment_method=order.payment_method,
    )
    message.reserved_until.FromDatetime(fact.reserved_until)
    return message


def _give_up(order: Order, fact: domain.PaymentGiveUpRequested) -> Message:
    return payments.PaymentGiveUpRequested(order_id=order.id, reason=_REASONS[fact.reason])


def _void(order: Order, _fact: Any) -> Message:
    return payments.PaymentVoidRequested(order_id=order.id)


def _refund(order: Order, fact: domain.RefundRequested) -> Message:
    return payments.RefundRequested(
        order_id=order.id, refund_id=fact.refund_id, amount_minor=fact.amount_minor, currency=order.currency
    )


def _refunded(order: Order, fact: domain.OrderRefunded) -> Message:
    return orders.OrderRefunded(
        order_id=order.id,
        refund_id=fact.refund_id,
        amount_minor=fact.amount_minor,
        currency=order.currency,
        restocked=[orders.Line(sku=sku, quantity=quantity) for sku, quantity in fact.restocked],
    )


def _goods(order: Order, fact: domain.SupplierOrderRequested) -> Message:
    return suppliers.SupplierOrderRequested(
        order_id=order.id,
        sku=fact.sku,
        quantity=fact.quantity,
        supplier=fact.supplier,
        supplier_scenario=fact.supplier_scenario,
    )


def _no_goods(order: Order, _fact: Any) -> Message:
    return suppliers.SupplierOrderCancelRequested(order_id=order.id)


_FACES: Final[Mapping[type[Fact], tuple[str, Callable[[Order, Any], Message]]]] = {
    domain.OrderPlaced: (_ORDERS, _placed),
    domain.PaymentRequested: (_PAYMENTS, _payment),
    domain.OrderCompleted: (_ORDERS, _completed),
    domain.OrderCompensating: (_ORDERS, _compensating),
    domain.OrderCancelling: (_ORDERS, _cancelling),
    domain.OrderFailed: (_ORDERS, _failed),
    domain.OrderCancelled: (_ORDERS, _cancelled),
    domain.OrderExpired: (_ORDERS, _expired),
    domain.PaymentGiveUpRequested: (_PAYMENTS, _give_up),
    domain.PaymentVoidRequested: (_PAYMENTS, _void),
    domain.RefundRequested: (_PAYMENTS, _refund),
    domain.OrderRefunded: (_ORDERS, _refunded),
    domain.SupplierOrderRequested: (_SUPPLIERS, _goods),
    domain.SupplierOrderCancelRequested: (_SUPPLIERS, _no_goods),
}
