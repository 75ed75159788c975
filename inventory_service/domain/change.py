"""Receipts and adjustments: what changes the shelf by hand, each recorded once under its key."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b


class ChangeKind(StrEnum):
    """Goods came in, or the shelf was counted again."""

    RECEIPT = "receipt"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A receipt or adjustment that is asked for; equal keys of a SKU name one change."""

    kind: ChangeKind
    sku: str
    quantity_delta: int
    reason: str
    idempotency_key: str
    expected_on_hand: int | None = None

    @property
    def fingerprint(self) -> bytes:
        """Equal for equal content; what is asked for again under a key must have it."""
        content = (self.kind.value, self.quantity_delta, self.reason, self.expected_on_hand)
        return blake2b(repr(content).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class StockChange:
    """A receipt or adjustment that was recorded, with the balance right after it."""

    id: str
    sku: str
    quantity_delta: int
    reason: str
    idempotency_key: str
    fingerprint: bytes
    on_hand: int
    reserved: int
    at: datetime
