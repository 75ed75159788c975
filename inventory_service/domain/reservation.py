"""Reservations: what is, or was, held for an order or for another team's service; and the facts told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Holder(StrEnum):
    """Who ends a reservation: an order, by its facts alone; or a caller of the RPCs, or else its time."""

    ORDER = "order"
    RPC = "rpc"


class Policy(StrEnum):
    """What becomes of an order whose stock does not suffice."""

    REJECT = "REJECT"
    BACKORDER = "BACKORDER"


class ReservationStatus(StrEnum):
    """Where a reservation stands."""

    HELD = "HELD"
    WAITING = "WAITING"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    REJECTED = "REJECTED"


class Shortage(NamedTuple):
    """What is missing of one SKU; `supplier` is empty when nobody delivers it."""

    sku: str
    requested: int
    available: int
    supplier: str = ""
    held: int = 0
    supplier_scenario: str = ""


@dataclass(slots=True)
class Reservation:
    """Pieces by SKU (`lines`), less what is still `missing` of them while the reservation waits.

    `known_missing` is what the database says of it.
    """

    id: str
    holder: Holder
    status: ReservationStatus
    lines: Mapping[str, int]
    expires_at: datetime | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    shortages: tuple[Shortage, ...] = ()
    traceparent: str = ""
    is_new: bool = False
    is_changed: bool = False
    known_missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_holding(self) -> bool:
        """All of it or a part of it is held."""
        return self.status in (ReservationStatus.HELD, ReservationStatus.WAITING)

    @property
    def order_id(self) -> str | None:
        """The order, where it belongs to one."""
        return self.id if self.holder is Holder.ORDER else None

    def held(self) -> Mapping[str, int]:
        """The pieces that are held, by SKU."""
        if not self.missing:
            return self.lines
        rest = {sku: quantity - self.missing.get(sku, 0) for sku, quantity in self.lines.items()}
        return {sku: quantity for sku, quantity in rest.items() if quantity}

    def gain(self, sku: str, quantity: int) -> None:
        """Some of what was missing came."""
        missing = {**self.missing, sku: self.missing[sku] - quantity}
        self.missing = {sku: quantity for sku, quantity in missing.items() if quantity}
        self.is_changed = True

    def become(self, status: ReservationStatus) -> None:
        """Change the status."""
        self.status = status
        self.is_changed = True


class StockReserved(NamedTuple):
    """All lines of an order are held."""

    order_id: str
    expires_at: datetime | None


class StockRejected(NamedTuple):
    """Nothing of an order is held: stock does not suffice."""

    order_id: str
    shortages: tuple[Shortage, ...]


class StockShortage(NamedTuple):
    """Part of an order is held; the rest may come from suppliers."""

    order_id: str
    shortages: tuple[Shortage, ...]


class StockReleased(NamedTuple):
    """An order holds no stock any more, and will not."""

    order_id: str


Fact = StockReserved | StockRejected | StockShortage | StockReleased
