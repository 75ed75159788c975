"""What an order tells others when it takes a step; the order itself says about which order and how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GiveUpReason(StrEnum):
    """Why payments shall start no charge any more."""

    EXPIRING = "EXPIRING"
    CANCELLING = "CANCELLING"


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """Its stock is asked for, by SKU and pieces; told again where nobody has answered."""

    lines: Sequence[tuple[str, int]]
    stock_policy: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentRequested:
    """Its money is asked for; a charge that was never sent may be tried until its stock's time is over."""

    reserved_until: datetime


@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """It is paid: its stock is sold."""


@dataclass(frozen=True, slots=True)
class OrderCompensating:
    """It will fail or expire: its stock is to be given back."""


@dataclass(frozen=True, slots=True)
class OrderCancelling:
    """It is being cancelled: its stock is to be given back."""


@dataclass(frozen=True, slots=True)
class OrderFailed:
    """It failed, and holds nothing."""


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """It was cancelled, and holds nothing."""


@dataclass(frozen=True, slots=True)
class OrderExpired:
    """Its time was over, and it holds nothing."""


@dataclass(frozen=True, slots=True)
class PaymentGiveUpRequested:
    """No charge shall be started for it any more; the answer says whether one was."""

    reason: GiveUpReason


@dataclass(frozen=True, slots=True)
class PaymentVoidRequested:
    """Money that was or may be taken for it shall be taken back."""


@dataclass(frozen=True, slots=True)
class SupplierOrderRequested:
    """Goods that are missing for it are asked of a supplier."""

    sku: str
    quantity: int
    supplier: str
    supplier_scenario: str


@dataclass(frozen=True, slots=True)
class SupplierOrderCancelRequested:
    """Goods that were asked for it are not needed any more."""


@dataclass(frozen=True, slots=True)
class RefundRequested:
    """Money of it shall be given back, in minor units."""

    refund_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Money of it was given back; these pieces go on the shelf again."""

    refund_id: str
    amount_minor: int
    restocked: tuple[tuple[str, int], ...]


Fact = (
    OrderPlaced
    | PaymentRequested
    | OrderCompleted
    | OrderCompensating
    | OrderCancelling
    | OrderFailed
    | OrderCancelled
    | OrderExpired
    | PaymentGiveUpRequested
    | PaymentVoidRequested
    | SupplierOrderRequested
    | SupplierOrderCancelRequested
    | RefundRequested
    | OrderRefunded
)
