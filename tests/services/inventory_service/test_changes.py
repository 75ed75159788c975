"""Receipts and adjustments: recorded once under their key, and never at the cost of who holds."""

import pytest

from chassis import ids
from chassis.errors import NotFound, Refusal, ValidationFailed
from inventory_service.commands import ChangeStock
from inventory_service.domain import (
    ChangeKind,
    ChangeRequest,
    IdempotencyKeyReused,
    StockHasChanged,
    StockIsReserved,
)
from protos.inventory.v1 import inventory_pb2 as pb
from protos.orders.events.v1.events_pb2 import OrderCompleted
from tests.services.inventory_service.warehouse import Warehouse, placed


def _adjustment(delta: int, key: str = "k", *, expected: int | None = None, reason: str = "") -> ChangeRequest:
    return ChangeRequest(ChangeKind.ADJUSTMENT, "A", delta, reason, key, expected)


def test_a_repeat_of_a_receipt_is_answered_with_what_was_recorded(warehouse: Warehouse) -> None:
    warehouse.stock(A=0)
    first = warehouse.receive("A", 5, "k", "opening stock")
    warehouse.receive("A", 1)

    again = warehouse.receive("A", 5, "k", "opening stock")

    assert (first.repeated, again.repeated) == (0, 1)
    assert again.changes == first.changes
    assert (again.changes[0].on_hand, warehouse.balance("A")) == (5, (6, 0))


@pytest.mark.parametrize(
    "other",
    [
        ChangeRequest(ChangeKind.RECEIPT, "A", 6, "", "k"),
        ChangeRequest(ChangeKind.RECEIPT, "A", 5, "another reason", "k"),
        ChangeRequest(ChangeKind.ADJUSTMENT, "A", 5, "", "k"),
    ],
)
def test_a_key_with_other_content_is_refused(warehouse: Warehouse, other: ChangeRequest) -> None:
    warehouse.stock(A=0)
    warehouse.receive("A", 5, "k")

    with pytest.raises(IdempotencyKeyReused) as refused:
        warehouse.change(other)

    assert refused.value.code == "idempotency_key_reused"
    assert warehouse.balance("A") == (5, 0)


def test_the_same_key_of_another_sku_is_another_receipt(warehouse: Warehouse) -> None:
    warehouse.stock(A=0, B=0)

    warehouse.receive("A", 5, "k")
    warehouse.receive("B", 6, "k")

    assert (warehouse.balance("A"), warehouse.balance("B")) == ((5, 0), (6, 0))


def test_equal_receipts_in_one_batch_are_one(warehouse: Warehouse) -> None:
    warehouse.stock(A=0)
    receipt = ChangeRequest(ChangeKind.RECEIPT, "A", 5, "", "k")

    assert warehouse.change(receipt, receipt).repeated == 1

    assert warehouse.balance("A") == (5, 0)


def test_many_receipts_are_recorded_all_or_none(warehouse: Warehouse) -> None:
    warehouse.stock(A=0, B=0)
    receipts = [ChangeRequest(ChangeKind.RECEIPT, sku, 5, "", "k") for sku in ("A", "B", "NOWHERE")]

    with pytest.raises(NotFound):
        warehouse.change(*receipts)
    assert (warehouse.balance("A"), warehouse.balance("B")) == ((0, 0), (0, 0))

    warehouse.change(*receipts[:2])
    assert warehouse.change(*receipts[:2]).repeated == 2
    assert (warehouse.balance("A"), warehouse.balance("B")) == ((5, 0), (5, 0))


def test_a_refused_command_takes_no_other_of_its_batch_with_it(warehouse: Warehouse) -> None:
    warehouse.stock(A=3)
    orders = [ids.new_id() for _ in range(2)]
    warehouse.apply(*(placed(order, ("A", 1)) for order in orders))

    with pytest.raises(StockIsReserved):
        warehouse.ask_all(ChangeStock((_adjustment(-2),)), ChangeStock((_adjustment(-1, "l"),)))

    assert warehouse.balance("A") == (2, 2)


def test_reserved_stock_cannot_be_taken_and_its_orders_are_named(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    sold, first, second = (ids.new_id() for _ in range(3))
    warehouse.apply(placed(sold, ("A", 1)), placed(first, ("A", 2)), placed(second, ("A", 1)))
    warehouse.apply(OrderCompleted(order_id=sold))

    with pytest.raises(StockIsReserved) as refused:
        warehouse.change(_adjustment(-2))

    [holders] = refused.value.details
    assert isinstance(holders, pb.StockHolders)
    assert list(holders.order_ids) == [first, second]
    assert (refused.value.code, refused.value.status) == ("stock_reserved", "ABORTED")
    warehouse.change(_adjustment(-1))
    assert warehouse.balance("A") == (3, 3)


def test_no_more_can_be_taken_than_is_on_the_shelf(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)

    with pytest.raises(ValidationFailed) as refused:
        warehouse.change(_adjustment(-6))

    assert list(refused.value.fields) == ["quantity_delta"]
    assert warehouse.balance("A") == (5, 0)


def test_an_adjustment_of_another_count_than_expected_is_refused(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)

    with pytest.raises(StockHasChanged) as refused:
        warehouse.change(_adjustment(-1, expected=4))
    assert (refused.value.code, refused.value.status) == ("stock_changed", "ABORTED")

    warehouse.change(_adjustment(-1, expected=5))
    assert warehouse.change(_adjustment(-1, expected=5)).repeated == 1
    assert warehouse.balance("A") == (4, 0)
    assert warehouse.movements("A") == [("receipt", 5, 0), ("adjustment", -1, 0)]


def test_goods_for_an_unknown_product_are_refused(warehouse: Warehouse) -> None:
    with pytest.raises(Refusal) as refused:
        warehouse.receive("NOWHERE", 1)

    assert refused.value.code == "not_found"
