"""Who changed products and stock: written down with the change, and only where something was changed."""

from typing import Any

import pytest

from chassis.database import rows_of
from inventory_service.commands import ChangeStock, PutProducts
from inventory_service.domain import ChangeKind, ChangeRequest, Offer, StockHasChanged, Supply
from tests.services.inventory_service.warehouse import Warehouse

BOSS = ("operator:boss", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")


def acts(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    sql = "SELECT actor, action, subject, details FROM audit ORDER BY id"
    return [tuple(row) for row in warehouse.database.read(lambda connection: rows_of(connection, sql))]


def received(key: str, pieces: int = 5, **more: Any) -> ChangeRequest:
    return ChangeRequest(ChangeKind.RECEIPT, "A", pieces, "a truck", key, **more)


def test_products_are_noted_with_what_was_asked(warehouse: Warehouse) -> None:
    offers = tuple(Offer(sku, f"a {sku}", 255, "GBP", Supply.STOCK) for sku in "AB")

    warehouse.ask(PutProducts(offers, *BOSS))

    content = {"price_minor": 255, "currency": "GBP", "supply": "STOCK", "supplier": None, "supplier_scenario": None}
    assert acts(warehouse) == [
        ("operator:boss", "put_product", sku, {"name": f"a {sku}", "active": True} | content) for sku in "AB"
    ]
    [row] = warehouse.database.read(lambda c: rows_of(c, "SELECT DISTINCT trace_id FROM audit"))
    assert row.trace_id == "0af7651916cd43dd8448eb211c80319c"


def test_receipts_and_adjustments_are_noted_once(warehouse: Warehouse) -> None:
    warehouse.put("A")
    before = len(acts(warehouse))
    counted = ChangeRequest(ChangeKind.ADJUSTMENT, "A", -2, "counted", "k-2")

    warehouse.ask_all(ChangeStock((received("k-1"),), *BOSS), ChangeStock((received("k-1"),), "operator:other"))
    warehouse.ask(ChangeStock((received("k-1"),), "operator:other"))
    warehouse.ask(ChangeStock((counted,), *BOSS))

    assert [act[:3] for act in acts(warehouse)[before:]] == [
        ("operator:boss", "receive_stock", "A"),
        ("operator:boss", "adjust_stock", "A"),
    ]
    details = acts(warehouse)[-1][3]
    assert (details["quantity_delta"], details["reason"]) == (-2, "counted")


def test_what_was_refused_was_not_done(warehouse: Warehouse) -> None:
    warehouse.put("A")
    before = len(acts(warehouse))

    with pytest.raises(StockHasChanged):
        warehouse.ask(ChangeStock((received("k-1", expected_on_hand=7),), *BOSS))

    assert len(acts(warehouse)) == before
