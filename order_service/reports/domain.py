"""What is reported: boards of customers and products, places on them, and figures of days and minutes."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from chassis.errors import NotFound

EXACT: Final = 2**53
"""Up to here the scores of a sorted set, which are floats of 64 bits, tell whole minor units apart."""


@dataclass(frozen=True, slots=True)
class Board:
    """Who is ranked, and the two figures that each has; either may be ranked by."""

    name: str
    measures: tuple[str, str]


CUSTOMERS: Final = Board("customers", ("spent", "orders"))
PRODUCTS: Final = Board("products", ("units", "revenue"))
BOARDS: Final = (CUSTOMERS, PRODUCTS)


class Figures(NamedTuple):
    """What a customer or product comes to, in the order of its board's measures; money in minor units."""

    member: str
    first: int
    second: int

    @property
    def is_exact_in_redis(self) -> bool:
        """Whether a sorted set can hold both figures without rounding them."""
        return abs(self.first) <= EXACT and abs(self.second) <= EXACT


class Place(NamedTuple):
    """A place on a board, counted from 1; of equal figures the member whose bytes sort last stands first."""

    rank: int
    figures: Figures


class NotRanked(NotFound):
    """Nothing of theirs was completed."""


class Kpis(NamedTuple):
    """Figures of completed orders, net of refunds; a refunded order still counts among the orders."""

    first_day: date
    last_day: date
    revenue_minor: int
    orders: int
    unique_customers: int

    @property
    def average_minor(self) -> int:
        """What an order came to on average, to the nearest minor unit, halves upwards; 0 without orders."""
        return (2 * self.revenue_minor + self.orders) // (2 * self.orders) if self.orders else 0


class Minute(NamedTuple):
    """What was placed within a minute, and how much of it is completed by now."""

    minute: datetime
    orders: int
    completed: int


class Present(NamedTuple):
    """How things stand: orders by status, and the last minutes, oldest first."""

    statuses: dict[str, int]
    minutes: list[Minute]
