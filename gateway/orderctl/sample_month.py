"""A shop's month of orders, made up: the shape and the dirt of a real one, the same for the same seed."""

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final, NamedTuple

MONTH: Final = datetime(2024, 11, 1, tzinfo=UTC)
DAYS: Final = 30
SATURDAY: Final = 5
"""The shop is closed then."""

_COLOURS = (
    "WHITE",
    "RED",
    "PINK",
    "BLUE",
    "IVORY",
    "GREEN",
    "SILVER",
    "BLACK",
    "CREAM",
    "VINTAGE",
    "ANTIQUE",
    "RETROSPOT",
)
_THEMES = (
    "HEART",
    "STAR",
    "ROSE",
    "BIRD",
    "CAT",
    "UNION JACK",
    "PAISLEY",
    "WOODLAND",
    "SPACEBOY",
    "CHRISTMAS",
    "DAISY",
    "GINGHAM",
)
_OBJECTS = (
    "T-LIGHT HOLDER", "LANTERN", "MUG", "CAKE STAND", "LUNCH BAG", "HOT WATER BOTTLE", "PHOTO FRAME", "WICKER BASKET",
    "TEA TOWEL", "CUSHION COVER", "GIFT WRAP", "STORAGE BOX", "ALARM CLOCK", "DOORMAT", "JEWELLERY BOX", "NOTEBOOK",
    "CANDLE, SCENTED", "SET OF 6 SPOONS", 'SIGN "HOME"', "PACK OF 72 CAKE CASES",
)  # fmt: skip
_PRICES = (42, 65, 85, 125, 145, 165, 195, 210, 255, 295, 375, 425, 495, 595, 675, 850, 995, 1275, 1495, 1995)
_PRICE_WEIGHTS = (9, 5, 11, 14, 7, 12, 6, 9, 9, 9, 7, 6, 5, 4, 3, 3, 2, 2, 1, 1)
_PACKS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 25, 36, 48, 72, 96, 144, 288)
_PACK_WEIGHTS = (24, 14, 7, 9, 12, 5, 6, 12, 2, 2, 5, 2, 1.5, 1.5, 0.5, 0.4, 0.3, 0.1)
_COUNTRIES = (
    "United Kingdom",
    "Germany",
    "France",
    "EIRE",
    "Portugal",
    "Belgium",
    "Spain",
    "Australia",
    "Netherlands",
    "Norway",
)
_COUNTRY_WEIGHTS = (92, 2.2, 1.6, 1.1, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5)
_FAULTS = ("damaged", "check", "?", "lost", "wrongly marked", "thrown away", "dotcom adjust", "")

_BULK: Final = 24
_NOBODY: Final = ("", _COUNTRIES[0])
_PACK_SUMS: Final = tuple(accumulate(_PACK_WEIGHTS))
_REJECTED_PER_ORDER: Final = 0.446
_KINDS = ("credit", "anonymous", "anonymous_bulk", "free_of_charge", "adjustment", "anonymous_credit", "three_decimals")
_KIND_WEIGHTS = (308, 104, 49, 76, 69, 18, 1)


class Row(NamedTuple):
    """One line of the file, as text."""

    invoice: str
    sku: str
    description: str
    quantity: str
    date: str
    price: str
    customer: str
    country: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """The rows of one invoice, and whether an import is to accept it."""

    rows: Sequence[Row]
    is_good: bool


@dataclass(frozen=True, slots=True)
class _Product:
    sku: str
    description: str
    price: int
    bulk_price: int
    """from 24 pieces"""


class _Skewed:
    """Draws places of a list, early ones far more often than late ones."""

    def __init__(self, count: int, flatness: float, steepness: float) -> None:
        self._sums = list(accumulate(1 / (place + flatness) ** steepness for place in range(count)))

    def draw(self, dice: random.Random) -> int:
        return bisect(self._sums, dice.random() * self._sums[-1])


def invoices(orders: int, seed: int) -> Iterator[Invoice]:
    """A month with exactly `orders` invoices that an import accepts, in order of time, between those it rejects."""
    return _Month(orders, random.Random(seed)).invoices()


class _Month:
    def __init__(self, orders: int, dice: random.Random) -> None:
        self._orders = orders
        self._dice = dice
        scale = orders / 1_400
        self._products = self._catalogue(max(60, round(2_700 * scale**0.6)))
        self._popular = _Skewed(len(self._products), 25, 0.85)
        self._customers = max(5, round(1_250 * scale**0.9))
        self._loyal = _Skewed(self._customers, 12, 0.75)
        self._countries = dice.choices(_COUNTRIES, _COUNTRY_WEIGHTS, k=self._customers)
        self._number = 600_000

    def invoices(self) -> Iterator[Invoice]:
        kinds = self._kinds()
        for moment, kind in zip(self._moments(len(kinds)), kinds, strict=True):
            self._number += 1 + (self._dice.random() < 0.1)
            yield Invoice(self._rows(kind, moment), kind == "good")

    def _kinds(self) -> list[str]:
        rejected = round(self._orders * _REJECTED_PER_ORDER)
        kinds = ["good"] * self._orders + self._dice.choices(_KINDS, _KIND_WEIGHTS, k=rejected)
        self._dice.shuffle(kinds)
        return kinds

    def _moments(self, count: int) -> list[datetime]:
        """Minutes within opening hours, in order; some days are busier than others."""
        days = [day for day in (MONTH + timedelta(days=place) for place in range(DAYS)) if day.weekday() != SATURDAY]
        busy = [self._dice.uniform(0.4, 1.6) for _ in days]
        chosen = self._dice.choices(days, busy, k=count)
        return sorted(day + timedelta(minutes=round(self._dice.triangular(480, 1_140, 740))) for day in chosen)

    def _catalogue(self, count: int) -> list[_Product]:
        return [self._product(number) for number in self._dice.sample(range(10_000, 90_000), count)]

    def _product(self, number: int) -> _Product:
        dice = self._dice
        letter = dice.choice("ABCDE") if dice.random() < 0.15 else ""
        description = f"{dice.choice(_COLOURS)} {dice.choice(_THEMES)} {dice.choice(_OBJECTS)}"
        price = dice.choices(_PRICES, _PRICE_WEIGHTS)[0]
        bulk_price = round(price * 0.85) if dice.random() < 0.27 else price
        return _Product(f"{number}{letter}", description, price, bulk_price)

    def _rows(self, kind: str, moment: datetime) -> list[Row]:
        match kind:
            case "good":
                return self._good(moment)
            case "credit":
                return self._credit(moment, self._customer())
            case "anonymous_credit":
                return self._credit(moment, _NOBODY)
            case "anonymous":
                return self._lines(moment, _NOBODY, self._dice.randint(1, 40))
            case "anonymous_bulk":
                return self._lines(moment, _NOBODY, self._dice.randint(120, 480))
            case "free_of_charge":
                return self._one(moment, self._dice.choice(_FAULTS).upper(), self._dice.randint(1, 60))
            case "adjustment":
                return self._one(moment, self._dice.choice(_FAULTS), -self._dice.randint(1, 200))
            case _:
                odd = self._lines(moment, self._customer(), self._dice.randint(1, 9))
                return [odd[0]._replace(price=odd[0].price + "5"), *odd[1:]]

    def _good(self, moment: datetime) -> list[Row]:
        dice = self._dice
        count = 1 if dice.random() < 0.07 else min(400, max(1, round(dice.lognormvariate(2.6, 0.88))))
        rows = self._lines(moment, self._customer(), count)
        if rows[0].country != _COUNTRIES[0]:
            rows.append(
                rows[0]._replace(sku="POST", description="POSTAGE", quantity=str(dice.randint(1, 4)), price="18.00")
            )
        if count > 3 and dice.random() < 0.15:
            rows.append(rows[0]._replace(quantity=str(dice.randint(1, 4))))  # the same SKU once more
        if count > 3 and dice.random() < 0.003:
            rows[1] = rows[1]._replace(price="0.00")  # a gift
        if count > 3 and dice.random() < 0.002:
            rows[-1] = rows[-1]._replace(date=_date(moment + timedelta(minutes=1)))
        return rows

    def _credit(self, moment: datetime, customer: tuple[str, str]) -> list[Row]:
        rows = self._lines(moment, customer, self._dice.choice((1, 1, 1, 2, 2, 3, 5)))
        return [row._replace(invoice=f"C{row.invoice}", quantity=f"-{row.quantity}") for row in rows]

    def _one(self, moment: datetime, description: str, quantity: int) -> list[Row]:
        row = self._lines(moment, _NOBODY, 1)[0]
        return [row._replace(description=description, quantity=str(quantity), price="0.00")]

    def _lines(self, moment: datetime, customer: tuple[str, str], count: int) -> list[Row]:
        return [self._line(moment, customer, self._products[place]) for place in self._places(count)]

    def _places(self, count: int) -> list[int]:
        """Different products, the popular ones first in most baskets."""
        wanted = min(count, len(self._products) // 2)
        places: dict[int, None] = {}
        while len(places) < wanted:
            places[self._popular.draw(self._dice)] = None
        return list(places)

    def _line(self, moment: datetime, customer: tuple[str, str], product: _Product) -> Row:
        dice = self._dice
        quantity = (
            dice.choices(_PACKS, cum_weights=_PACK_SUMS)[0] if dice.random() < 0.999 else dice.randint(300, 2_880)
        )
        price = product.bulk_price if quantity >= _BULK else product.price
        description = f"{product.description}." if dice.random() < 0.0005 else product.description
        money = f"{price // 100}.{price % 100:02}"
        return Row(str(self._number), product.sku, description, str(quantity), _date(moment), money, *customer)

    def _customer(self) -> tuple[str, str]:
        place = self._loyal.draw(self._dice)
        return str(12_346 + place * 7 % 6_000), self._countries[place]


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
