"""What inventory is about: products, shelves, what is held on them for whom, and every change of it."""

from typing import Final

from inventory_service.domain.change import ChangeKind, ChangeRequest, StockChange
from inventory_service.domain.product import Offer, Product, Supply
from inventory_service.domain.refusals import (
    CurrencyMismatch,
    IdempotencyKeyReused,
    ReservationNotHeld,
    StockHasChanged,
    StockInsufficient,
    StockIsReserved,
    UnknownSku,
    wrong_field,
)
from inventory_service.domain.reservation import (
    Fact,
    Holder,
    Policy,
    Reservation,
    ReservationStatus,
    Shortage,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShortage,
)
from inventory_service.domain.stockroom import (
    GoodsUnknown,
    Movement,
    MovementKind,
    NothingHeld,
    NotSold,
    Shelf,
    SoldAlready,
    Stockroom,
    allotment_id,
)

CONTEXT: Final = "inventory"
"""The word for all of it: package, schema, topics, metrics."""

__all__ = [
    "CONTEXT",
    "ChangeKind",
    "ChangeRequest",
    "CurrencyMismatch",
    "Fact",
    "GoodsUnknown",
    "Holder",
    "IdempotencyKeyReused",
    "Movement",
    "MovementKind",
    "NotSold",
    "NothingHeld",
    "Offer",
    "Policy",
    "Product",
    "Reservation",
    "ReservationNotHeld",
    "ReservationStatus",
    "Shelf",
    "Shortage",
    "SoldAlready",
    "StockChange",
    "StockHasChanged",
    "StockInsufficient",
    "StockIsReserved",
    "StockRejected",
    "StockReleased",
    "StockReserved",
    "StockShortage",
    "Stockroom",
    "Supply",
    "UnknownSku",
    "allotment_id",
    "wrong_field",
]
