"""What payments tells the world; the field names are those of the events."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Attention(StrEnum):
    """What somebody should look at a payment for."""

    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_OPERATOR = "payment_operator"
    REFUND_FAILED = "refund_failed"
    NONE = ""


class PaymentStarted(NamedTuple):
    """The provider is being asked and takes its time, or somebody knocked at an open door."""

    order_id: str
    payment_id: str
    started_at: datetime


class PaymentCaptured(NamedTuple):
    """The money was taken."""

    order_id: str
    payment_id: str
    amount_minor: int
    currency: str
    provider_reference: str
    started_at: datetime


class PaymentDeclined(NamedTuple):
    """The provider said no."""

    order_id: str
    payment_id: str
    decline_code: str
    decline_reason: str
    started_at: datetime


class PaymentUnavailable(NamedTuple):
    """It could not be sent until the reservation's time was over."""

    order_id: str
    payment_id: str
    started_at: datetime


class PaymentUnknown(NamedTuple):
    """Nobody can say yet whether the money was taken."""

    order_id: str
    payment_id: str
    next_try_at: datetime
    started_at: datetime


class PaymentClosed(NamedTuple):
    """No charge was or will be started for the order."""

    order_id: str


class PaymentVoided(NamedTuple):
    """Money that was or may have been taken has been taken back."""

    order_id: str
    payment_id: str


class PaymentAttention(NamedTuple):
    """Somebody should look at it; `attention` empty: not any more."""

    order_id: str
    attention: Attention
    next_try_at: datetime | None


class RefundSucceeded(NamedTuple):
    """Money was given back."""

    order_id: str
    refund_id: str
    amount_minor: int


class RefundFailed(NamedTuple):
    """Money was not given back, and will not be by this refund."""

    order_id: str
    refund_id: str
    reason: str


class RefundDelayed(NamedTuple):
    """Money is not given back yet; `attention` says what for, and the provider is asked again."""

    order_id: str
    refund_id: str
    attention: Attention
    next_try_at: datetime


Fact = (
    PaymentStarted
    | PaymentCaptured
    | PaymentDeclined
    | PaymentUnavailable
    | PaymentUnknown
    | PaymentClosed
    | PaymentVoided
    | PaymentAttention
    | RefundSucceeded
    | RefundFailed
    | RefundDelayed
)
