"""What it takes to become an order: lines, prices of our own, and a total that can be booked."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from chassis.errors import Unavailable, ValidationFailed
from chassis.money import MAX_MINOR, format_amount
from order_service.domain.refusals import CurrencyMismatch, PriceChanged, ProductInactive, UnknownSku

_TOTAL_OF_NOTHING: Final = "the order must come to more than 0"


class Product(NamedTuple):
    """A product as the price copy has it; an older version never replaces a newer one."""

    sku: str
    name: str
    price_minor: int
    currency: str
    is_active: bool
    version: int


class Wanted(NamedTuple):
    """One line as the client sent it."""

    sku: str
    quantity: int


class Line(NamedTuple):
    """One line of an order at the price of one piece when it was placed, in minor units."""

    sku: str
    name: str
    quantity: int
    unit_price_minor: int


class NotInCopy(Unavailable):
    """The price copy lacks SKUs, and inventory was not asked yet, or did not answer."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__("the catalogue cannot be asked at the moment")
        self.skus = skus


def priced(
    wanted: Sequence[Wanted], products: Mapping[str, Product], currency: str, *, is_copy_complete: bool
) -> list[Line]:
    """The lines at today's prices.

    `is_copy_complete` says that inventory knows no SKU that `products` lacks. Raises UnknownSku, NotInCopy,
    ProductInactive, CurrencyMismatch.
    """
    lines: list[Line] = []
    for sku, quantity in wanted:
        product = products.get(sku)
        if product is None or not product.is_active or product.currency != currency:
            raise _refusal(wanted, products, currency, is_copy_complete)
        lines.append(Line(sku, product.name, quantity, product.price_minor))
    return lines


def _refusal(
    wanted: Sequence[Wanted], products: Mapping[str, Product], currency: str, is_copy_complete: bool
) -> Exception:
    missing = [line.sku for line in wanted if line.sku not in products]
    if missing and not is_copy_complete:
        return NotInCopy(missing)
    if missing:
        return UnknownSku(f"there is no product {missing[0]}", fields=_fields(wanted, set(missing), "is unknown"))
    inactive = {line.sku for line in wanted if not products[line.sku].is_active}
    if inactive:
        return ProductInactive(
            "a product is not sold any more", fields=_fields(wanted, inactive, "is not sold any more")
        )
    foreign = {line.sku for line in wanted if products[line.sku].currency != currency}
    return CurrencyMismatch(
        f"products are sold in {currency} here", fields=_fields(wanted, foreign, f"is not priced in {currency}")
    )


def _fields(wanted: Sequence[Wanted], skus: set[str], sentence: str) -> dict[str, list[str]]:
    return {f"items[{place}].sku": [sentence] for place, line in enumerate(wanted) if line.sku in skus}


def total_of(lines: Sequence[Line], expected_minor: int | None, currency: str) -> int:
    """What the lines come to, in minor units. Raises ValidationFailed for 0 and for too much, PriceChanged."""
    total = sum(line.quantity * line.unit_price_minor for line in lines)
    if total == 0:
        raise ValidationFailed(_TOTAL_OF_NOTHING, fields={"items": [_TOTAL_OF_NOTHING]})
    if total > MAX_MINOR:
        raise ValidationFailed("the total is too large", fields={"items": ["come to more than can be booked"]})
    if expected_minor is not None and expected_minor != total:
        present = format_amount(total, currency)
        raise PriceChanged(
            f"the order comes to {present} {currency} now",
            fields={"expected_total": [f"the total is {present} now"]},
            metadata={"total_amount": present},
        )
    return total


def require_currency(asked: str, currency: str) -> None:
    """An order that names a currency must name ours. Raises CurrencyMismatch."""
    if asked and asked != currency:
        raise CurrencyMismatch(f"orders are taken in {currency} here", fields={"currency": [f"must be {currency}"]})
