"""What suppliers tells the world; the field names are those of the events."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class FailureCode(StrEnum):
    """Why an order that waits for goods fails."""

    SUPPLIER_FAILED = "supplier_failed"
    SUPPLIER_DELAYED = "supplier_delayed"


class SupplierOrderAccepted(NamedTuple):
    """The supplier took it on; nothing is delivered yet. Told again when it is still underway."""

    order_id: str
    sku: str
    supplier_order_id: str
    next_check_at: datetime | None = None


class SupplierOrderDelayed(NamedTuple):
    """The supplier needs longer."""

    order_id: str
    sku: str
    supplier_order_id: str
    next_check_at: datetime


class SupplierOrderDelivered(NamedTuple):
    """The goods are here."""

    order_id: str
    sku: str
    supplier_order_id: str
    quantity: int


class SupplierOrderRejected(NamedTuple):
    """The supplier does not take it on."""

    order_id: str
    sku: str
    supplier_order_id: str
    reason: str


class SupplierOrderFailed(NamedTuple):
    """It was taken on, or was to be, and the goods will not come."""

    order_id: str
    sku: str
    supplier_order_id: str
    failure_code: FailureCode
    reason: str


class SupplierOrderCancelled(NamedTuple):
    """It was no longer needed, and has ended."""

    order_id: str
    sku: str
    supplier_order_id: str


class SupplierOrderUnreachable(NamedTuple):
    """The supplier cannot be reached."""

    order_id: str
    sku: str
    supplier_order_id: str
    next_try_at: datetime


Fact = (
    SupplierOrderAccepted
    | SupplierOrderDelayed
    | SupplierOrderDelivered
    | SupplierOrderRejected
    | SupplierOrderFailed
    | SupplierOrderCancelled
    | SupplierOrderUnreachable
)
