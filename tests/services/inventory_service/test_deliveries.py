"""Goods of suppliers: each piece goes to the order it was ordered for, once."""

import pytest

from chassis import ids
from protos.orders.events.v1.events_pb2 import OrderCancelling
from tests.services.inventory_service.warehouse import Warehouse, delivered, placed


@pytest.fixture
def waiting(warehouse: Warehouse) -> tuple[str, str]:
    """Two orders that wait for two pieces of S each, the older one first."""
    warehouse.put("S", supplier="acme")
    early, late = sorted((ids.new_id(), ids.new_id()))
    warehouse.apply(placed(early, ("S", 2), backorder=True), placed(late, ("S", 2), backorder=True))
    return early, late


def test_goods_go_to_the_order_they_were_ordered_for(warehouse: Warehouse, waiting: tuple[str, str]) -> None:
    early, late = waiting

    supplier_order = warehouse.goods_come(late, "S", 2)

    assert (warehouse.status(early), warehouse.status(late)) == ("WAITING", "HELD")
    assert warehouse.told(late) == ["StockShortage", "StockReserved"]
    assert warehouse.movements("S") == [("receipt", 2, 0), ("reservation", 0, 2)]
    [row] = warehouse.rows("SELECT cause_id, order_id FROM movements WHERE kind = 'receipt'")
    assert (row.cause_id, row.order_id) == (supplier_order, None)
    assert not warehouse.unbalanced()


def test_goods_that_are_told_again_as_a_new_event_come_once(warehouse: Warehouse, waiting: tuple[str, str]) -> None:
    # A supplier order that is asked for again tells its delivery again: the inbox has never seen that event.
    early, _late = waiting
    supplier_order = warehouse.goods_come(early, "S", 2)

    warehouse.goods_come(early, "S", 2, supplier_order)

    assert warehouse.balance("S") == (2, 2)
    assert warehouse.letters() == []
    assert not warehouse.unbalanced()


def test_the_same_goods_told_twice_in_one_poll_come_once(warehouse: Warehouse, waiting: tuple[str, str]) -> None:
    early, late = waiting
    supplier_order = ids.new_id()
    told = [warehouse.sealed(delivered(early, "S", 2, supplier_order)) for _ in range(2)]

    warehouse.deliver(*told, warehouse.sealed(delivered(late, "S", 2, ids.new_id())))

    assert warehouse.balance("S") == (4, 4)


def test_two_polls_bring_the_same_goods_at_once(warehouse: Warehouse, waiting: tuple[str, str]) -> None:
    early, _late = waiting
    supplier_order = ids.new_id()
    first, second = (warehouse.sealed(delivered(early, "S", 2, supplier_order)) for _ in range(2))

    with warehouse.database.begin() as connection:
        warehouse.lock(connection, "S")
        both = [warehouse.beside(warehouse.deliver, record) for record in (first, second)]
        warehouse.until_blocked()
    for done in both:
        done.result(10)

    assert warehouse.balance("S") == (2, 2)
    assert warehouse.letters() == []


def test_goods_for_an_order_that_was_cancelled_serve_who_waits_and_are_then_free(
    warehouse: Warehouse, waiting: tuple[str, str]
) -> None:
    early, late = waiting
    warehouse.apply(OrderCancelling(order_id=early))

    warehouse.goods_come(early, "S", 3)

    assert warehouse.status(late) == "HELD"
    assert warehouse.balance("S") == (3, 2)
    assert not warehouse.unbalanced()


def test_goods_of_an_unknown_product_are_parked(warehouse: Warehouse) -> None:
    order = ids.new_id()

    warehouse.goods_come(order, "NOWHERE", 1)

    [(key, error)] = warehouse.letters()
    assert (key, "GoodsUnknown" in error) == (order, True)
