"""Stockrooms and their contents as the tests of this room need them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from inventory_service.domain import Fact, Policy, Reservation, Shelf, Stockroom

NOON: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UNTIL: Final = NOON + timedelta(minutes=10)
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
EARLY: Final = "01900000-0000-7000-8000-000000000001"
LATE: Final = "01900000-0000-7000-8000-000000000002"
LATER: Final = "01900000-0000-7000-8000-000000000003"
RECEIPT: Final = "01900000-0000-7000-8000-0000000000ff"
OTHER_RECEIPT: Final = "01900000-0000-7000-8000-0000000000fe"


def a_room(**on_hand: int) -> Stockroom:
    """A stockroom with so many pieces of each SKU; those whose name begins with S have a supplier."""
    shelves = {
        sku: Shelf(sku, pieces, 0, "acme" if sku.startswith("S") else "", "ok" if sku.startswith("S") else "")
        for sku, pieces in on_hand.items()
    }
    return Stockroom(NOON, UNTIL, shelves, {})


def place(room: Stockroom, order_id: str, lines: Mapping[str, int], policy: Policy = Policy.REJECT) -> Reservation:
    """Place an order, and look at what became of it."""
    room.place(order_id, lines, policy, TRACE)
    return room.reservations[order_id]


def balance(room: Stockroom, sku: str) -> tuple[int, int]:
    """What is on hand, and what of it is reserved."""
    return room.shelves[sku].on_hand, room.shelves[sku].reserved


def told(room: Stockroom) -> list[Fact]:
    """What is told, in order."""
    return [fact for fact, _ in room.told]
