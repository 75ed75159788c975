"""What orders ask of payments, and what is made of it."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from chassis import ids
from chassis.consumer import Handler, TooEarly
from chassis.envelope import Received
from payment_service import wire
from payment_service.domain import Payment, PaymentUndecided, Refund
from payment_service.repository import REFUNDS_OF, Loaded, Payments
from protos.payments.events.v1.events_pb2 import (
    PaymentGiveUpRequested,
    PaymentRequested,
    PaymentVoidRequested,
    RefundRequested,
)


class _OfOrder(Protocol):
    """A message about one order."""

    @property
    def order_id(self) -> str: ...


def order_of(message: _OfOrder) -> tuple[str]:
    """The order whose payment a message is about."""
    return (message.order_id,)


def on_payment_requested(loaded: Loaded, received: Received[PaymentRequested]) -> None:
    """Record the intent, once per order; asked again, or after the door was closed, tell what became of it."""
    order_id = received.message.order_id
    loaded.traces[order_id] = received.traceparent
    if (payment := loaded.payments.get(order_id)) is not None:
        payment.answer_again()
        return
    loaded.payments[order_id] = wire.requested_payment(received.message, ids.new_id(), loaded.at)


def on_payment_give_up_requested(loaded: Loaded, received: Received[PaymentGiveUpRequested]) -> None:
    """One door: either no charge will ever be sent, or the order goes on and hears what becomes of it."""
    if (payment := _found_or_closed(loaded, received)) is not None:
        payment.give_up()


def on_payment_void_requested(loaded: Loaded, received: Received[PaymentVoidRequested]) -> None:
    """No order, no money: take back what was taken, and see to it that nothing is taken any more."""
    if (payment := _found_or_closed(loaded, received)) is not None:
        payment.request_void(loaded.at)


def on_refund_requested(loaded: Loaded, received: Received[RefundRequested]) -> None:
    """Record the refund, once; asked again, tell what became of it."""
    message = received.message
    loaded.traces[message.order_id] = received.traceparent
    if (refund := loaded.refunds.get(message.refund_id)) is not None:
        refund.answer_again()
        return
    payment = loaded.payments.get(message.order_id)
    if payment is None:
        raise TooEarly(f"order {message.order_id} has no payment (yet)")
    others = [each for each in loaded.refunds.values() if each.payment is payment]
    amount = (message.amount_minor, message.currency)
    try:
        loaded.refunds[message.refund_id] = Refund.requested(payment, others, message.refund_id, amount, loaded.at)
    except PaymentUndecided as undecided:
        raise TooEarly(str(undecided)) from undecided


def _found_or_closed(
    loaded: Loaded, received: Received[PaymentGiveUpRequested] | Received[PaymentVoidRequested]
) -> Payment | None:
    """The order's payment; where there is none, its closed row is written, for the request that was overtaken."""
    order_id = received.message.order_id
    loaded.traces[order_id] = received.traceparent
    payment = loaded.payments.get(order_id)
    if payment is None:
        loaded.payments[order_id] = Payment.closed(order_id, ids.new_id(), loaded.at)
    return payment


def _keys_of_refund(message: RefundRequested) -> tuple[str, str]:
    return message.order_id, REFUNDS_OF + message.order_id


HANDLERS: Final[dict[type[Any], Handler[Any]]] = {
    PaymentRequested: Handler(keys=order_of, apply=on_payment_requested),
    PaymentGiveUpRequested: Handler(keys=order_of, apply=on_payment_give_up_requested),
    PaymentVoidRequested: Handler(keys=order_of, apply=on_payment_void_requested),
    RefundRequested: Handler(keys=_keys_of_refund, apply=on_refund_requested),
}


class PaymentRoom:
    """How the consumer loads and saves payments, and starts their calls once they are committed."""

    def __init__(self, payments: Payments, wake_relay: Callable[[], None]) -> None:
        self._payments = payments
        self._wake_relay = wake_relay

    def load(self, connection: Connection, keys: Sequence[str]) -> Loaded:
        """The payments of these orders, and the refunds that are asked for."""
        return self._payments.load_touched(connection, keys)

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed."""
        self._payments.save(connection, loaded)

    def committed(self, loaded: Loaded) -> None:
        """Ask the provider, and tell the world."""
        self._payments.committed(loaded)
        self._wake_relay()
