"""What orders and suppliers tell us, and what becomes of the stock by it."""

from collections.abc import Iterator
from typing import Any, Final

from chassis.consumer import Handler, Ignore
from chassis.envelope import Received
from inventory_service import wire
from inventory_service.domain import Stockroom
from inventory_service.repository import DELIVERY, ENDING, ORDER, SKU
from protos.orders.events.v1.events_pb2 import (
    OrderCancelling,
    OrderCompensating,
    OrderCompleted,
    OrderPlaced,
    OrderRefunded,
)
from protos.suppliers.events.v1.events_pb2 import SupplierOrderDelivered

TOPICS: Final = ("orders.events", "suppliers.events")


def on_order_placed(room: Stockroom, received: Received[OrderPlaced]) -> None:
    """Hold its stock, all of it or none, and say which."""
    order = received.message
    lines = wire.lines_of(order)
    if not room.place(order.order_id, lines, wire.policy_of(order), received.traceparent):
        raise Ignore


def on_order_completed(room: Stockroom, received: Received[OrderCompleted]) -> None:
    """It is paid: what is held is sold."""
    if not room.commit(received.message.order_id):
        raise Ignore


def on_order_undone(room: Stockroom, received: Received[OrderCompensating | OrderCancelling]) -> None:
    """It comes to nothing: give back what is held, and acknowledge it, so that the order may end."""
    room.release_order(received.message.order_id, received.traceparent)


def on_supplier_order_delivered(room: Stockroom, received: Received[SupplierOrderDelivered]) -> None:
    """Goods came in that were ordered for an order."""
    goods = received.message
    if not room.deliver(goods.supplier_order_id, goods.order_id, goods.sku, goods.quantity):
        raise Ignore


def on_order_refunded(room: Stockroom, received: Received[OrderRefunded]) -> None:
    """Money of it went back, and perhaps goods came: those are on the shelf again, once for each refund."""
    refund = received.message
    if not room.restock(refund.refund_id, refund.order_id, wire.restocked_of(refund)):
        raise Ignore


def _keys_of_placed(order: OrderPlaced) -> Iterator[str]:
    yield ORDER + order.order_id
    for line in order.lines:
        yield SKU + line.sku


def _keys_of_completed(order: OrderCompleted) -> tuple[str]:
    return (ORDER + order.order_id,)


def _keys_of_undone(order: OrderCompensating | OrderCancelling) -> tuple[str]:
    return (ENDING + order.order_id,)


def _keys_of_delivered(goods: SupplierOrderDelivered) -> tuple[str, str, str]:
    return DELIVERY + goods.supplier_order_id, ENDING + goods.order_id, SKU + goods.sku


def _keys_of_refunded(refund: OrderRefunded) -> Iterator[str]:
    if refund.restocked:
        yield DELIVERY + refund.refund_id
        yield ENDING + refund.order_id
        for line in refund.restocked:
            yield SKU + line.sku


HANDLERS: Final[dict[type[Any], Handler[Any]]] = {
    OrderPlaced: Handler(keys=_keys_of_placed, apply=on_order_placed),
    OrderCompleted: Handler(keys=_keys_of_completed, apply=on_order_completed),
    OrderCompensating: Handler(keys=_keys_of_undone, apply=on_order_undone),
    OrderCancelling: Handler(keys=_keys_of_undone, apply=on_order_undone),
    OrderRefunded: Handler(keys=_keys_of_refunded, apply=on_order_refunded),
    SupplierOrderDelivered: Handler(keys=_keys_of_delivered, apply=on_supplier_order_delivered),
}
