"""All SQL that writes: stockrooms (shelves, reservations, movements), catalogue, receipts and adjustments, sums."""

from inventory_service.repository.catalogue import put_offers
from inventory_service.repository.changes import insert_changes, recorded_changes
from inventory_service.repository.ledger import held_differences, ledger_differences
from inventory_service.repository.stockrooms import DELIVERY, ENDING, ORDER, SKU, Stockrooms

__all__ = [
    "DELIVERY",
    "ENDING",
    "ORDER",
    "SKU",
    "Stockrooms",
    "held_differences",
    "insert_changes",
    "ledger_differences",
    "put_offers",
    "recorded_changes",
]
