"""Products and their prices: every change raises the version, and is told in the transaction that makes it."""

from dataclasses import replace

import pytest

from chassis.errors import NotFound, ValidationFailed
from inventory_service import queries
from inventory_service.commands import PutProducts
from inventory_service.domain import Offer, Supply
from tests.services.inventory_service.warehouse import Warehouse

_OFFER = Offer("A", "a thing", 255, "GBP", Supply.STOCK)


def test_a_new_product_has_an_empty_shelf_and_is_told(warehouse: Warehouse) -> None:
    [product] = warehouse.put_offers(_OFFER)

    assert (product.offer, product.version) == (_OFFER, 1)
    assert warehouse.balance("A") == (0, 0)
    [changed] = warehouse.facts("A")
    assert (changed.sku, changed.price_minor, changed.currency, changed.version) == ("A", 255, "GBP", 1)
    assert changed.active


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another thing"}, {"price_minor": 300}, {"active": False},
        {"supply": Supply.SUPPLIER, "supplier": "acme"}, {"supplier_scenario": "ok"},
    ],
)  # fmt: skip
def test_every_change_raises_the_version_and_is_told(warehouse: Warehouse, change: dict[str, object]) -> None:
    [before] = warehouse.put_offers(_OFFER)

    [after] = warehouse.put_offers(replace(_OFFER, **change))  # type: ignore[arg-type]

    assert (after.version, after.created_at) == (2, before.created_at)
    assert [fact.version for fact in warehouse.facts("A")] == [1, 2]
    assert warehouse.facts("A")[1].active == after.offer.active


def test_what_changes_nothing_is_no_change(warehouse: Warehouse) -> None:
    warehouse.put_offers(_OFFER)

    [product] = warehouse.put_offers(_OFFER)

    assert product.version == 1
    assert len(warehouse.facts("A")) == 1


def test_changes_of_one_product_in_one_batch_are_made_one_after_the_other(warehouse: Warehouse) -> None:
    cheap, dear = replace(_OFFER, price_minor=100), replace(_OFFER, price_minor=900)
    other = replace(_OFFER, sku="B")

    results = warehouse.ask_all(PutProducts((cheap, other)), PutProducts((dear,)), PutProducts((cheap,)))

    assert [[product.version for product in products] for products in results] == [[1, 1], [2], [3]]
    assert [fact.price_minor for fact in warehouse.facts("A")] == [100, 900, 100]


def test_changes_of_one_product_by_two_instances_are_told_in_the_order_of_their_versions(
    warehouse: Warehouse, other: Warehouse
) -> None:
    def change(instance: Warehouse, first: int) -> None:
        for price in range(first, 40, 2):
            instance.put_offers(replace(_OFFER, price_minor=price))

    for done in [warehouse.beside(change, warehouse, 1), other.beside(change, other, 2)]:
        done.result(20)

    versions = [fact.version for fact in warehouse.facts("A")]
    assert versions == list(range(1, len(versions) + 1))
    [product] = warehouse.database.read(lambda connection: queries.products_by_sku(connection, ["A"])).values()
    assert product.offer.price_minor == warehouse.facts("A")[-1].price_minor


def test_products_are_listed_newest_first_page_by_page(warehouse: Warehouse) -> None:
    warehouse.put("A", "B")
    warehouse.put("C")

    def page(token: str) -> tuple[list[str], str]:
        products, following = warehouse.database.read(lambda connection: queries.list_products(connection, 2, token))
        return [product.offer.sku for product in products], following

    first, token = page("")
    second, end = page(token)
    assert (first, second, end) == (["C", "B"], ["A"], "")


def test_movements_are_listed_oldest_first_page_by_page(warehouse: Warehouse) -> None:
    warehouse.stock(A=1, B=1)
    for pieces in (2, 3, 4):
        warehouse.receive("A", pieces)

    def page(sku: str, token: str) -> tuple[list[int], str]:
        rows, following = warehouse.database.read(lambda connection: queries.list_movements(connection, sku, 3, token))
        return [row.on_hand_delta for row in rows], following

    first, token = page("A", "")
    assert (first, page("A", token)) == ([1, 2, 3], ([4], ""))
    with pytest.raises(ValidationFailed) as refused:
        page("B", token)
    assert list(refused.value.fields) == ["page_token"]


@pytest.mark.parametrize("token", ["x", "!!!", "AAAAAAAAAAAA", "é", "W10", "=" * 9])
def test_a_token_that_no_page_gave_out_is_refused(warehouse: Warehouse, token: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        warehouse.database.read(lambda connection: queries.list_products(connection, 2, token))

    assert list(refused.value.fields) == ["page_token"]


def test_what_is_not_in_the_catalogue_is_not_found(warehouse: Warehouse) -> None:
    warehouse.put("A")
    read = warehouse.database.read

    for query in (queries.get_product, queries.get_stock):
        with pytest.raises(NotFound):
            read(lambda connection, query=query: query(connection, "NOWHERE"))  # type: ignore[misc]
    with pytest.raises(NotFound):
        read(lambda connection: queries.list_movements(connection, "NOWHERE", 5, ""))
    assert read(lambda connection: queries.list_movements(connection, "A", 5, "")) == ([], "")
    assert list(read(lambda connection: queries.products_by_sku(connection, ["A", "NOWHERE"]))) == ["A"]
