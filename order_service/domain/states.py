"""The states of an order and the steps between them, as data."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an order stands."""

    PENDING = "PENDING"
    AWAITING_RESTOCK = "AWAITING_RESTOCK"
    RESERVED = "RESERVED"
    PAYMENT_PROCESSING = "PAYMENT_PROCESSING"
    COMPLETED = "COMPLETED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    COMPENSATING = "COMPENSATING"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class PaymentStatus(StrEnum):
    """What an order last heard of its payment."""

    NONE = "NONE"
    PENDING = "PENDING"
    PAID = "PAID"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class FailureCode(StrEnum):
    """Why an order came to no good end."""

    INSUFFICIENT_STOCK = "insufficient_stock"
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_UNAVAILABLE = "payment_unavailable"
    SUPPLIER_REJECTED = "supplier_rejected"
    SUPPLIER_FAILED = "supplier_failed"
    SUPPLIER_DELAYED = "supplier_delayed"
    RESERVATION_EXPIRED = "reservation_expired"


class Attention(StrEnum):
    """What an order waits for that is out of the ordinary."""

    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_OPERATOR = "payment_operator"
    REFUND_FAILED = "refund_failed"
    SUPPLIER_WAIT = "supplier_wait"
    SUPPLIER_UNREACHABLE = "supplier_unreachable"


class StockPolicy(StrEnum):
    """What happens when stock does not suffice."""

    REJECT = "REJECT"
    BACKORDER = "BACKORDER"


NEXT_STATUSES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.RESERVED, Status.AWAITING_RESTOCK, Status.FAILED, Status.CANCELLING}),
    Status.AWAITING_RESTOCK: frozenset({Status.RESERVED, Status.COMPENSATING, Status.CANCELLING}),
    Status.RESERVED: frozenset({Status.PAYMENT_PROCESSING, Status.COMPENSATING, Status.CANCELLING}),
    Status.PAYMENT_PROCESSING: frozenset({Status.COMPLETED, Status.COMPENSATING, Status.CANCELLING}),
    Status.COMPENSATING: frozenset({Status.FAILED, Status.EXPIRED}),
    Status.CANCELLING: frozenset({Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.FAILED: frozenset(),
    Status.EXPIRED: frozenset(),
}
"""The steps an order may take; the database knows the same table and rejects every other step."""

TERMINAL: Final = frozenset(status for status, following in NEXT_STATUSES.items() if not following)
UNFINISHED: Final = frozenset(Status) - TERMINAL
BEFORE_MONEY: Final = frozenset({Status.PENDING, Status.AWAITING_RESTOCK})
"""Nobody was asked for money yet."""
ON_THE_WAY: Final = BEFORE_MONEY | {Status.RESERVED, Status.PAYMENT_PROCESSING}
"""The order may still be completed; it may be cancelled, too."""
GIVEN_UP: Final = frozenset(Status) - ON_THE_WAY - {Status.COMPLETED}
"""The order is being undone, or was: whatever it is given goes back."""

OPEN_PAYMENTS: Final = frozenset(
    {PaymentStatus.PENDING, PaymentStatus.PAID, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.UNKNOWN}
)
"""There is, or may be, money of the customer's at the provider."""
