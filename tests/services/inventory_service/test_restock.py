"""Goods that come back with a refund: on the shelf once, and first for those who wait."""

import pytest

from chassis import ids
from protos.orders.events.v1.events_pb2 import Line, OrderCompleted, OrderRefunded
from tests.services.inventory_service.warehouse import Warehouse, placed


def refunded(order_id: str, *lines: tuple[str, int], refund_id: str = "") -> OrderRefunded:
    """Money of an order went back, and these goods came."""
    return OrderRefunded(
        order_id=order_id,
        refund_id=refund_id or ids.new_id(),
        amount_minor=510,
        currency="GBP",
        restocked=[Line(sku=sku, quantity=quantity) for sku, quantity in lines],
    )


@pytest.fixture
def sold(warehouse: Warehouse) -> str:
    """An order that bought three A and one B, of which ten were there."""
    warehouse.stock(A=10, B=10)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 3), ("B", 1)), OrderCompleted(order_id=order))
    return order


def test_goods_that_come_back_are_on_the_shelf_under_their_refund(warehouse: Warehouse, sold: str) -> None:
    refund_id = ids.new_id()

    warehouse.apply(refunded(sold, ("A", 2), ("B", 1), refund_id=refund_id))

    assert (warehouse.balance("A"), warehouse.balance("B")) == ((9, 0), (10, 0))
    assert warehouse.movements("A")[-1] == ("restock", 2, 0)
    rows = warehouse.rows("SELECT cause_id, order_id FROM movements WHERE kind = 'restock'")
    assert {(row.cause_id, row.order_id) for row in rows} == {(refund_id, sold)}
    assert not warehouse.unbalanced()


def test_a_refund_told_again_as_a_new_event_brings_nothing_more(warehouse: Warehouse, sold: str) -> None:
    """The inbox has never seen that event; the refund's own id must tell."""
    refund_id = ids.new_id()
    warehouse.apply(refunded(sold, ("A", 2), refund_id=refund_id), refunded(sold, ("A", 2), refund_id=refund_id))

    warehouse.apply(refunded(sold, ("A", 2), refund_id=refund_id))

    assert warehouse.balance("A") == (9, 0)
    assert warehouse.letters() == []


def test_money_alone_moves_no_stock(warehouse: Warehouse, sold: str) -> None:
    warehouse.apply(refunded(sold))

    assert warehouse.balance("A") == (7, 0)
    assert warehouse.letters() == []


def test_goods_that_come_back_serve_who_waits_before_they_are_free(warehouse: Warehouse) -> None:
    warehouse.put("S", supplier="acme")
    warehouse.receive("S", 3)
    sold, waiting = ids.new_id(), ids.new_id()
    warehouse.apply(placed(sold, ("S", 3)), OrderCompleted(order_id=sold))
    warehouse.apply(placed(waiting, ("S", 2), backorder=True))

    warehouse.apply(refunded(sold, ("S", 3)))

    assert (warehouse.status(waiting), warehouse.balance("S")) == ("HELD", (3, 2))
    assert warehouse.told(waiting) == ["StockShortage", "StockReserved"]
    assert not warehouse.unbalanced()


def test_goods_of_an_order_that_was_never_sold_are_parked(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)
    held = ids.new_id()
    warehouse.apply(placed(held, ("A", 3)))

    warehouse.apply(refunded(held, ("A", 3)))

    assert [key for key, _ in warehouse.letters()] == [held]
    assert warehouse.balance("A") == (10, 3)
