"""What other contexts tell orders, and what is made of it.

Every fact may come again, and late: a fact about a step that was passed is ignored, one that is ahead of its order is
parked (`TooEarly`) and tried again, and nothing resurrects an order that was given up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from chassis.consumer import Handler, Ignore, TooEarly
from chassis.envelope import Received
from order_service import repository, wire
from order_service.domain import (
    BEFORE_MONEY,
    Attention,
    Contradiction,
    FailureCode,
    Order,
    PaymentStatus,
    Product,
    Refund,
    Refunds,
    Status,
    SupplierOrderRequested,
)
from order_service.repository import Loaded
from protos.inventory.events.v1.events_pb2 import (
    ProductChanged,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShortage,
)
from protos.payments.events.v1.events_pb2 import (
    PaymentAttention,
    PaymentCaptured,
    PaymentClosed,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnavailable,
    PaymentUnknown,
    PaymentVoided,
    RefundDelayed,
    RefundFailed,
    RefundSucceeded,
)
from protos.suppliers.events.v1.events_pb2 import (
    SupplierOrderAccepted,
    SupplierOrderDelayed,
    SupplierOrderFailed,
    SupplierOrderRejected,
    SupplierOrderUnreachable,
)

TOPICS: Final = ("inventory.events", "payments.events", "suppliers.events")
PRODUCT_TOPICS: Final = ("inventory.products",)
INVENTORY: Final = "inventory"
PAYMENTS: Final = "payments"
SUPPLIERS: Final = "suppliers"

_AWAITS_STOCK: Final = frozenset({Status.PENDING, Status.AWAITING_RESTOCK})
_AWAITS_MONEY: Final = frozenset({Status.RESERVED, Status.PAYMENT_PROCESSING})
_UNDOING: Final = frozenset({Status.CANCELLING, Status.COMPENSATING})


class _OfOrder(Protocol):
    """A message about one order."""

    @property
    def order_id(self) -> str: ...


def order_of(message: _OfOrder) -> tuple[str]:
    """The order that a message is about."""
    return (message.order_id,)


def refunds_of(message: _OfOrder) -> tuple[str, str]:
    """The order that a message is about, with its refunds, which no other fact touches."""
    return message.order_id, repository.REFUNDS_OF + message.order_id


def _order(loaded: Loaded, received: Received[Any], actor: str) -> Order:
    """The order of a fact, ready to take its next step by whom and in which trace the fact says."""
    order = loaded.orders.get(received.message.order_id)
    if order is None:
        raise TooEarly(f"there is no order {received.message.order_id} (yet)")
    order.actor, order.traceparent = actor, received.traceparent
    return order


# ---- inventory


def on_stock_reserved(loaded: Loaded, received: Received[StockReserved]) -> None:
    """All of it is held: ask for the money. Too late for an order that was given up, which gives it back anyway."""
    order = _order(loaded, received, INVENTORY)
    if order.status not in _AWAITS_STOCK:
        raise Ignore
    order.reserve(wire.instant(received.message.expires_at))


def on_stock_rejected(loaded: Loaded, received: Received[StockRejected]) -> None:
    """Nothing is held. For an order that is being cancelled this is as good as a release."""
    order = _order(loaded, received, INVENTORY)
    if order.status is Status.PENDING:
        order.reject(wire.shortages_of(received.message.shortages))
    elif order.status in _UNDOING and not order.is_stock_released:
        order.release_stock()
    else:
        raise Ignore


def on_stock_shortage(loaded: Loaded, received: Received[StockShortage]) -> None:
    """Part of it is held; suppliers are asked for the rest, again where the order was asked after in vain."""
    order = _order(loaded, received, INVENTORY)
    missing = wire.missing_goods_of(received.message.shortages)
    if order.status is Status.PENDING:
        order.await_restock(missing)
    elif order.status is Status.AWAITING_RESTOCK:
        order.facts.extend(SupplierOrderRequested(*goods) for goods in missing)
    else:
        raise Ignore


def on_stock_released(loaded: Loaded, received: Received[StockReleased]) -> None:
    """Inventory has undone its part."""
    order = _order(loaded, received, INVENTORY)
    if order.is_on_the_way:
        raise TooEarly(f"order {order.id} is {order.status}, and has not asked for its stock to be released")
    if order.status not in _UNDOING or order.is_stock_released:
        raise Ignore
    order.release_stock()


# ---- payments


def _paying(loaded: Loaded, received: Received[Any]) -> Order:
    """The order of a payment's fact, once it has asked for money."""
    order = _order(loaded, received, PAYMENTS)
    if order.status in BEFORE_MONEY:
        raise TooEarly(f"order {order.id} is {order.status}, and has not asked for money")
    return order


def _start_unless_started(order: Order, received: Received[Any]) -> None:
    """The intent is told together with the answer where the provider was quick: then both steps are taken at once."""
    if order.status is Status.RESERVED:
        order.start_payment(wire.instant(received.message.started_at))


def on_payment_started(loaded: Loaded, received: Received[PaymentStarted]) -> None:
    """The door was found open: an expiry gives up, a cancel waits for the money, which is then taken back."""
    order = _paying(loaded, received)
    if order.status is Status.RESERVED:
        order.start_payment(wire.instant(received.message.started_at))
    elif order.status is Status.CANCELLING and order.payment_status is PaymentStatus.PENDING:
        order.stop_charge()
    else:
        raise Ignore


def on_payment_captured(loaded: Loaded, received: Received[PaymentCaptured]) -> None:
    """Paid: the order is complete. Money that arrives for an order that was given up goes back."""
    order = _paying(loaded, received)
    if order.status in _AWAITS_MONEY:
        _start_unless_started(order, received)
        order.complete()
    elif order.is_given_up and order.payment_status is not PaymentStatus.PAID:
        order.take_money_back()
    else:
        raise Ignore


def on_payment_declined(loaded: Loaded, received: Received[PaymentDeclined]) -> None:
    """No money, no parcel: give the stock back before the order may fail."""
    reason = received.message.decline_reason or "The payment was declined."
    _go_without_money(loaded, received, FailureCode.PAYMENT_DECLINED, reason)


def on_payment_unavailable(loaded: Loaded, received: Received[PaymentUnavailable]) -> None:
    """The charge was never sent until the reservation's time was over."""
    reason = "The payment provider could not be reached in time."
    _go_without_money(loaded, received, FailureCode.PAYMENT_UNAVAILABLE, reason)


def _go_without_money(loaded: Loaded, received: Received[Any], code: FailureCode, reason: str) -> None:
    order = _paying(loaded, received)
    if order.status in _AWAITS_MONEY:
        _start_unless_started(order, received)
        order.compensate(code, reason)
    elif order.status in _UNDOING and order.has_unanswered_payment:
        order.settle_without_money()
    else:
        raise Ignore


def on_payment_closed(loaded: Loaded, received: Received[PaymentClosed]) -> None:
    """The door is closed, no charge was or will be started: the end that was asked for by time or by a cancel."""
    order = _paying(loaded, received)
    if order.status in _AWAITS_MONEY:
        order.compensate(FailureCode.RESERVATION_EXPIRED, "Its time was over before the money was asked for.")
    elif order.status in _UNDOING and order.has_unanswered_payment:
        order.settle_without_money()
    else:
        raise Ignore


def on_payment_unknown(loaded: Loaded, received: Received[PaymentUnknown]) -> None:
    """Nobody can say yet whether the money was taken: the order keeps its stock, says so, and waits."""
    order = _paying(loaded, received)
    next_try_at = wire.instant(received.message.next_try_at)
    if order.status in _AWAITS_MONEY:
        _start_unless_started(order, received)
    elif not (order.status in _UNDOING and order.has_unanswered_payment):
        raise Ignore
    if order.payment_status is PaymentStatus.UNKNOWN and order.next_try_at == next_try_at:
        raise Ignore
    order.doubt_payment(next_try_at)


def on_payment_voided(loaded: Loaded, received: Received[PaymentVoided]) -> None:
    """The money was taken back, as was asked."""
    order = _paying(loaded, received)
    if order.is_on_the_way:
        raise TooEarly(f"order {order.id} is {order.status}, and has not asked for its money back")
    if order.status is Status.COMPLETED:
        raise Contradiction(
            f"the money of order {order.id} was voided, though it is COMPLETED and nobody asked for that"
        )
    if order.payment_status is PaymentStatus.VOIDED:
        raise Ignore
    order.settle_with_void()


def on_payment_attention(loaded: Loaded, received: Received[PaymentAttention]) -> None:
    """Somebody should look at its money, or need not any more."""
    order = _paying(loaded, received)
    message = received.message
    attention = Attention(message.attention) if message.attention else None
    next_try_at = wire.instant(message.next_try_at) if message.HasField("next_try_at") else None
    if (order.attention, order.next_try_at) == (attention, next_try_at):
        raise Ignore
    order.note_attention(attention, next_try_at)


def _refunding(loaded: Loaded, received: Received[Any]) -> tuple[Refunds, Refund]:
    """The refund of a fact that is still to be decided, among those of its order."""
    order = _paying(loaded, received)
    refunds = loaded.refunds[order.id]
    refund = next((each for each in refunds.refunds if each.id == received.message.refund_id), None)
    if refund is None:
        raise Contradiction(f"nobody asked for the refund {received.message.refund_id} of order {order.id}")
    if not refund.is_open:
        raise Ignore
    return refunds, refund


def on_refund_succeeded(loaded: Loaded, received: Received[RefundSucceeded]) -> None:
    """The money is back: the order shows it, and what comes back with it goes on the shelf."""
    refunds, refund = _refunding(loaded, received)
    if received.message.amount_minor != refund.amount_minor:
        raise Contradiction(
            f"refund {refund.id} gave {received.message.amount_minor} back, {refund.amount_minor} asked"
        )
    refunds.succeed(refund)


def on_refund_failed(loaded: Loaded, received: Received[RefundFailed]) -> None:
    """The money was not given back: it may be asked for again, and somebody should look at it."""
    refunds, refund = _refunding(loaded, received)
    refunds.fail(refund, received.message.reason or "The provider refused it.")


def on_refund_delayed(loaded: Loaded, received: Received[RefundDelayed]) -> None:
    """It is not decided yet: the order says what for it waits, and until when."""
    refunds, refund = _refunding(loaded, received)
    attention, next_try_at = Attention(received.message.attention), wire.instant(received.message.next_try_at)
    if (refund.attention, refund.next_try_at) == (attention, next_try_at):
        raise Ignore
    refunds.delay(refund, attention, next_try_at)


# ---- suppliers


def _waiting(loaded: Loaded, received: Received[Any]) -> Order:
    """The order of a supplier's fact, while it waits for goods."""
    order = _order(loaded, received, SUPPLIERS)
    if order.status is Status.PENDING:
        raise TooEarly(f"order {order.id} is PENDING, and has not asked for goods")
    if order.status is not Status.AWAITING_RESTOCK:
        raise Ignore
    return order


def on_supplier_order_rejected(loaded: Loaded, received: Received[SupplierOrderRejected]) -> None:
    """These goods will not come: what is held goes back, the other supplier orders are cancelled."""
    order = _waiting(loaded, received)
    reason = received.message.reason or f"The supplier does not deliver {received.message.sku}."
    order.compensate(FailureCode.SUPPLIER_REJECTED, reason)


def on_supplier_order_failed(loaded: Loaded, received: Received[SupplierOrderFailed]) -> None:
    """As above; the supplier has changed its mind, or needed too long."""
    order = _waiting(loaded, received)
    reason = received.message.reason or f"The supplier has not delivered {received.message.sku}."
    order.compensate(wire.failure_of(received.message.failure_code), reason)


def on_supplier_order_accepted(loaded: Loaded, received: Received[SupplierOrderAccepted]) -> None:
    """The supplier has it on order, perhaps still: when it is asked next is news, and that it can be reached again."""
    message = received.message
    next_check_at = wire.instant(message.next_check_at) if message.HasField("next_check_at") else None
    if next_check_at is None and _waiting(loaded, received).attention is Attention.SUPPLIER_WAIT:
        raise Ignore
    reason = f"The supplier has {message.sku} on order."
    _go_on_waiting(loaded, received, Attention.SUPPLIER_WAIT, next_check_at, reason)


def on_supplier_order_delayed(loaded: Loaded, received: Received[SupplierOrderDelayed]) -> None:
    """The goods take longer."""
    reason = f"The supplier needs longer for {received.message.sku}."
    _go_on_waiting(loaded, received, Attention.SUPPLIER_WAIT, wire.instant(received.message.next_check_at), reason)


def on_supplier_order_unreachable(loaded: Loaded, received: Received[SupplierOrderUnreachable]) -> None:
    """The supplier cannot be reached; it is tried again."""
    reason = f"The supplier of {received.message.sku} cannot be reached."
    _go_on_waiting(loaded, received, Attention.SUPPLIER_UNREACHABLE, wire.instant(received.message.next_try_at), reason)


def _go_on_waiting(
    loaded: Loaded, received: Received[Any], attention: Attention, next_try_at: datetime | None, reason: str
) -> None:
    order = _waiting(loaded, received)
    if (order.attention, order.next_try_at) == (attention, next_try_at):
        raise Ignore
    order.wait_for_supplier(attention, next_try_at, reason)


HANDLERS: Final[Mapping[type[Any], Handler[Any]]] = {
    StockReserved: Handler(keys=order_of, apply=on_stock_reserved),
    StockRejected: Handler(keys=order_of, apply=on_stock_rejected),
    StockShortage: Handler(keys=order_of, apply=on_stock_shortage),
    StockReleased: Handler(keys=order_of, apply=on_stock_released),
    PaymentStarted: Handler(keys=order_of, apply=on_payment_started),
    PaymentCaptured: Handler(keys=order_of, apply=on_payment_captured),
    PaymentDeclined: Handler(keys=order_of, apply=on_payment_declined),
    PaymentUnavailable: Handler(keys=order_of, apply=on_payment_unavailable),
    PaymentClosed: Handler(keys=order_of, apply=on_payment_closed),
    PaymentUnknown: Handler(keys=order_of, apply=on_payment_unknown),
    PaymentVoided: Handler(keys=order_of, apply=on_payment_voided),
    PaymentAttention: Handler(keys=order_of, apply=on_payment_attention),
    RefundSucceeded: Handler(keys=refunds_of, apply=on_refund_succeeded),
    RefundFailed: Handler(keys=refunds_of, apply=on_refund_failed),
    RefundDelayed: Handler(keys=refunds_of, apply=on_refund_delayed),
    SupplierOrderRejected: Handler(keys=order_of, apply=on_supplier_order_rejected),
    SupplierOrderFailed: Handler(keys=order_of, apply=on_supplier_order_failed),
    SupplierOrderAccepted: Handler(keys=order_of, apply=on_supplier_order_accepted),
    SupplierOrderDelayed: Handler(keys=order_of, apply=on_supplier_order_delayed),
    SupplierOrderUnreachable: Handler(keys=order_of, apply=on_supplier_order_unreachable),
}


class OrderRoom:
    """How the consumer loads and saves orders, and who hears of it: that some changed, and which."""

    def __init__(self, woken: Sequence[Callable[[], None]], told: Sequence[Callable[[Sequence[Order]], None]]) -> None:
        self._woken = woken
        self._told = told

    def load(self, connection: Connection, keys: Sequence[str]) -> Loaded:
        """These orders, locked."""
        return repository.load_touched(connection, keys)

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed."""
        repository.save(connection, loaded)

    def committed(self, loaded: Loaded) -> None:
        """Those who wait first: everybody else has time."""
        for tell in self._told:
            tell(loaded.changed)
        for wake in self._woken:
            wake()


# ---- products: a consumer of its own, since its keys are SKUs


@dataclass(slots=True)
class LoadedProducts:
    """What a poll told of products: the newest version of each."""

    newest: dict[str, Product] = field(default_factory=dict)


def sku_of(message: ProductChanged) -> tuple[str]:
    """The product that a message is about."""
    return (message.sku,)


def on_product_changed(loaded: LoadedProducts, received: Received[ProductChanged]) -> None:
    """Prices may be older than the catalogue, but never go back."""
    product = wire.product_of(received.message)
    known = loaded.newest.get(product.sku)
    if known is not None and known.version >= product.version:
        raise Ignore
    loaded.newest[product.sku] = product


PRODUCT_HANDLERS: Final[Mapping[type[Any], Handler[Any]]] = {
    ProductChanged: Handler(keys=sku_of, apply=on_product_changed)
}


class ProductRoom:
    """How the consumer of products writes the copy; the statement itself knows what is older."""

    def load(self, _connection: Connection, _keys: Sequence[str]) -> LoadedProducts:
        """Nothing needs to be read."""
        return LoadedProducts()

    def save(self, connection: Connection, loaded: LoadedProducts) -> None:
        """Write what is newer than the copy."""
        repository.copy_products(connection, loaded.newest.values())

    def committed(self, _loaded: LoadedProducts) -> None:
        """Nobody waits for prices."""
