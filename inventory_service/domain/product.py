"""Products: what can be ordered, for how much, and where it comes from when the shelf is empty."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Supply(StrEnum):
    """Where a product comes from when the shelf is empty: from nowhere, or from its supplier."""

    STOCK = "STOCK"
    SUPPLIER = "SUPPLIER"


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as somebody wants it to be; prices in minor units of the installation's currency."""

    sku: str
    name: str
    price_minor: int
    currency: str
    supply: Supply
    supplier: str | None = None
    supplier_scenario: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it is; every change raises its version."""

    offer: Offer
    version: int
    created_at: datetime
    updated_at: datetime
