"""The price copy: filled by the topic and by the catalogue question, and never turned back."""

from typing import Any

from protos.inventory.events.v1.events_pb2 import ProductChanged
from tests.services.order_service.shop import Shop, a_command, shown_of


def _told(sku: str = "A", price: int = 300, version: int = 2, active: bool = True) -> ProductChanged:
    return ProductChanged(sku=sku, name=f"a {sku}", price_minor=price, currency="GBP", active=active, version=version)


def _price(shop: Shop, sku: str = "A") -> Any:
    [row] = shop.rows("SELECT price_minor, version, is_active FROM prices WHERE sku = :sku", sku=sku)
    return tuple(row)


def test_a_new_price_counts_for_the_next_order_and_not_for_the_last(shop: Shop) -> None:
    before = shop.place(("A", 2))
    shop.hear_of(_told(price=300))
    after = shop.place(("A", 2))
    assert (shop.order(before).total_minor, shop.order(after).total_minor) == (510, 600)


def test_an_older_price_that_comes_late_changes_nothing(shop: Shop) -> None:
    """The topic and the answer of the catalogue come on two ways: either may bring an older version after a newer."""
    shop.hear_of(_told(version=5, price=500))
    shop.hear_of(_told(version=4, price=400))
    shop.sell("A", version=3, price=300)
    assert _price(shop) == (500, 5, True)


def test_the_newest_of_one_poll_counts_whatever_its_place(shop: Shop) -> None:
    shop.hear_of(_told(version=3, price=3), _told("B", version=2, price=7), _told(version=5, price=5), _told(version=4))
    assert (_price(shop), _price(shop, "B")) == ((5, 5, True), (7, 2, True))


def test_a_withdrawn_product_is_known_as_such(shop: Shop) -> None:
    shop.hear_of(_told(active=False))
    assert _price(shop) == (300, 2, False)


def test_two_writers_of_the_same_products_do_not_block_each_other_for_good(shop: Shop, other: Shop) -> None:
    skus = [f"S{number}" for number in range(200)]
    first = [shop.beside(shop.hear_of, *(_told(sku, version=version) for sku in skus)) for version in range(1, 6)]
    second = [other.beside(other.sell, *reversed(skus), version=version) for version in range(1, 6)]
    for future in (*first, *second):
        future.result(timeout=20)
    assert {row.version for row in shop.rows("SELECT version FROM prices WHERE sku LIKE 'S%'")} == {5}


def test_what_is_answered_to_a_placer_is_the_price_of_that_moment(shop: Shop) -> None:
    [placed] = shop.ask(a_command("k", ("A", 1)))
    shop.hear_of(_told(price=300))
    [again] = shop.ask(a_command("k", ("A", 1)))
    assert shown_of(again).terms.total_minor == shown_of(placed).terms.total_minor == 255
