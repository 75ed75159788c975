"""What it takes to become an order: known products that are sold, in our currency, and a total that can be booked."""

import pytest

from chassis.errors import ValidationFailed
from chassis.money import MAX_MINOR
from order_service.domain import (
    CurrencyMismatch,
    Line,
    NotInCopy,
    PriceChanged,
    Product,
    ProductInactive,
    UnknownSku,
    Wanted,
    priced,
    require_currency,
    total_of,
)

LAMP = Product("LAMP", "a lamp", 1999, "GBP", True, 1)
PEN = Product("PEN", "a pen", 10, "GBP", True, 4)
PRODUCTS = {product.sku: product for product in (LAMP, PEN)}


def _priced(*skus: str, is_copy_complete: bool = True, **changed: Product) -> list[Line]:
    return priced([Wanted(sku, 2) for sku in skus], PRODUCTS | changed, "GBP", is_copy_complete=is_copy_complete)


def test_lines_take_names_and_prices_of_our_own() -> None:
    assert _priced("LAMP", "PEN") == [Line("LAMP", "a lamp", 2, 1999), Line("PEN", "a pen", 2, 10)]


def test_the_same_sku_may_stand_on_several_lines() -> None:
    assert len(_priced("PEN", "PEN")) == 2


def test_a_product_that_the_copy_lacks_is_asked_for_before_anybody_says_that_it_is_unknown() -> None:
    with pytest.raises(NotInCopy) as lacking:
        _priced("LAMP", "X", "Y", is_copy_complete=False)
    assert lacking.value.skus == ["X", "Y"]
    assert lacking.value.status == "UNAVAILABLE", "nobody is told 422 for something nobody could be asked about"


def test_each_line_with_an_unknown_product_is_named() -> None:
    with pytest.raises(UnknownSku) as refusal:
        _priced("X", "LAMP", "X")
    assert set(refusal.value.fields) == {"items[0].sku", "items[2].sku"}


def test_a_withdrawn_product_is_not_sold() -> None:
    with pytest.raises(ProductInactive) as refusal:
        _priced("PEN", "LAMP", LAMP=LAMP._replace(is_active=False))
    assert set(refusal.value.fields) == {"items[1].sku"}


def test_an_installation_sells_in_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        _priced("PEN", PEN=PEN._replace(currency="EUR"))
    with pytest.raises(CurrencyMismatch) as refusal:
        require_currency("EUR", "GBP")
    assert set(refusal.value.fields) == {"currency"}
    require_currency("", "GBP")
    require_currency("GBP", "GBP")


def test_the_total_is_exact() -> None:
    assert total_of([Line("LAMP", "", 2, 1999), Line("PEN", "", 3, 10)], None, "GBP") == 4028


def test_an_order_must_come_to_something() -> None:
    with pytest.raises(ValidationFailed) as refusal:
        total_of([Line("GIFT", "", 1, 0)], None, "GBP")
    assert set(refusal.value.fields) == {"items"}
    assert total_of([Line("GIFT", "", 1, 0), Line("PEN", "", 1, 10)], None, "GBP") == 10


def test_an_order_must_not_come_to_more_than_can_be_booked() -> None:
    assert total_of([Line("GOLD", "", 1, MAX_MINOR)], None, "GBP") == MAX_MINOR
    with pytest.raises(ValidationFailed):
        total_of([Line("GOLD", "", 1_000_000, MAX_MINOR)], None, "GBP")


def test_a_client_that_expects_another_total_is_told_the_present_one() -> None:
    assert total_of([Line("PEN", "", 1, 10)], 10, "GBP") == 10
    with pytest.raises(PriceChanged, match=r"0\.10 GBP") as refusal:
        total_of([Line("PEN", "", 1, 10)], 9, "GBP")
    assert refusal.value.metadata == {"total_amount": "0.10"}
