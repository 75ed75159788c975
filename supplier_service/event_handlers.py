"""What orders ask of suppliers, and what is made of it."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from chassis import ids
from chassis.consumer import Handler
from chassis.envelope import Received
from protos.suppliers.events.v1.events_pb2 import SupplierOrderCancelRequested, SupplierOrderRequested
from supplier_service.domain import requested_order, unneeded_order
from supplier_service.repository import Loaded, SupplierOrders

TOPICS: Final = ("suppliers.requests",)


class _OfOrder(Protocol):
    """A message about one order."""

    @property
    def order_id(self) -> str: ...


def order_of(message: _OfOrder) -> tuple[str]:
    """The order whose supplier orders a message is about."""
    return (message.order_id,)


def on_supplier_order_requested(loaded: Loaded, received: Received[SupplierOrderRequested]) -> None:
    """Order the goods, once per order and SKU; asked again, tell what became of it."""
    asked = received.message
    loaded.traces[asked.order_id] = received.traceparent
    if (known := loaded.supplier_orders.get((asked.order_id, asked.sku))) is not None:
        known.answer_again()
        return
    make = unneeded_order if asked.order_id in loaded.closed else requested_order
    loaded.supplier_orders[asked.order_id, asked.sku] = make(
        (asked.order_id, asked.sku, ids.new_id()), asked.quantity, asked.supplier, asked.supplier_scenario, loaded.at
    )


def on_supplier_order_cancel_requested(loaded: Loaded, received: Received[SupplierOrderCancelRequested]) -> None:
    """The order is gone: let its supplier orders go, and those that are still to be asked for."""
    order_id = received.message.order_id
    loaded.traces[order_id] = received.traceparent
    if order_id not in loaded.closed:
        loaded.closed.add(order_id)
        loaded.newly_closed.add(order_id)
    for supplier_order in loaded.of_order(order_id):
        supplier_order.cancel()


HANDLERS: Final[dict[type[Any], Handler[Any]]] = {
    SupplierOrderRequested: Handler(keys=order_of, apply=on_supplier_order_requested),
    SupplierOrderCancelRequested: Handler(keys=order_of, apply=on_supplier_order_cancel_requested),
}


class SupplierRoom:
    """How the consumer loads and saves supplier orders, and starts their calls once they are committed."""

    def __init__(self, supplier_orders: SupplierOrders, wake_relay: Callable[[], None]) -> None:
        self._supplier_orders = supplier_orders
        self._wake_relay = wake_relay

    def load(self, connection: Connection, keys: Sequence[str]) -> Loaded:
        """The supplier orders of these orders."""
        return self._supplier_orders.load(connection, keys)

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed."""
        self._supplier_orders.save(connection, loaded)

    def committed(self, loaded: Loaded) -> None:
        """Ask the supplier, and tell the world."""
        self._supplier_orders.committed(loaded)
        self._wake_relay()
