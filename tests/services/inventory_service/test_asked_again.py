"""Orders that heard no answer ask again, as a new event: inventory repeats what was recorded, and does it once."""

from chassis import ids
from protos.orders.events.v1.events_pb2 import OrderCompensating
from tests.services.inventory_service.warehouse import Warehouse, placed


def test_a_waiting_order_that_asks_again_hears_what_was_missing_and_keeps_what_it_holds(warehouse: Warehouse) -> None:
    warehouse.put("S", supplier="acme")
    warehouse.receive("S", 1)
    order = ids.new_id()
    request = placed(order, ("S", 3), backorder=True)
    warehouse.apply(request)

    warehouse.apply(request)

    first, again = warehouse.facts(order)
    assert again == first
    assert (warehouse.balance("S"), warehouse.status(order)) == ((1, 1), "WAITING")


def test_a_waiting_order_that_became_whole_meanwhile_is_told_so_once_more(warehouse: Warehouse) -> None:
    warehouse.put("S", supplier="acme")
    order = ids.new_id()
    request = placed(order, ("S", 3), backorder=True)
    warehouse.apply(request)
    warehouse.receive("S", 3)

    warehouse.apply(request)

    assert warehouse.told(order) == ["StockShortage", "StockReserved", "StockReserved"]
    assert warehouse.balance("S") == (3, 3)
    assert not warehouse.unbalanced()


def test_a_request_that_comes_again_behind_the_release_holds_nothing(warehouse: Warehouse) -> None:
    """The order was asked after, and given up before the second request was read."""
    warehouse.stock(A=5)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 2)), OrderCompensating(order_id=order), placed(order, ("A", 2)))
    warehouse.apply(OrderCompensating(order_id=order))

    assert warehouse.balance("A") == (5, 0)
    assert warehouse.told(order) == ["StockReserved", "StockReleased", "StockReleased"]
    assert not warehouse.letters()
