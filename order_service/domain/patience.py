"""How long an order may stay where it stands before its open request is sent again, as data; and why it is stuck."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from order_service.domain.facts import (
    Fact,
    GiveUpReason,
    OrderCancelling,
    OrderCompensating,
    OrderPlaced,
    PaymentGiveUpRequested,
    PaymentRequested,
    PaymentVoidRequested,
)
from order_service.domain.order import Order
from order_service.domain.states import OPEN_PAYMENTS, PaymentStatus, Status


class Patience(NamedTuple):
    """Seconds that a status may last without news, and the pauses between requests from then on, doubling."""

    allowed: float
    first_pause: float
    longest_pause: float


PATIENCE: Final[Mapping[Status, Patience]] = {
    Status.PENDING: Patience(60, 5, 300),
    # Suppliers are asked by the suppliers context on a schedule of its own: this only finds what was lost.
    Status.AWAITING_RESTOCK: Patience(3_600, 3_600, 21_600),
    Status.RESERVED: Patience(60, 5, 300),
    Status.PAYMENT_PROCESSING: Patience(60, 5, 300),
    Status.COMPENSATING: Patience(30, 5, 300),
    Status.CANCELLING: Patience(30, 5, 300),
}
"""For every status in which an order waits for somebody else."""
REFUND_PATIENCE: Final = Patience(60, 5, 300)
"""The same for a refund that was asked for."""


class Wait(NamedTuple):
    """What must be known of an order to say how long it may still stay where it stands."""

    id: str
    status: Status
    heard_at: datetime
    next_try_at: datetime | None
    reserved_until: datetime | None
    created_at: datetime

    @property
    def due_at(self) -> datetime:
        """When its request is sent again if nothing is heard; when it expires, if that is sooner."""
        due = patient_until(self.status, self.heard_at, self.next_try_at)
        return min(due, self.reserved_until) if self._may_expire and self.reserved_until else due

    def is_overdue(self, at: datetime) -> bool:
        """Its stock was to be held until then, and nobody is being asked for its money."""
        return self._may_expire and self.reserved_until is not None and self.reserved_until <= at

    @property
    def _may_expire(self) -> bool:
        return self.status is Status.RESERVED


def patient_until(status: Status, heard_at: datetime, next_try_at: datetime | None) -> datetime:
    """Until when nothing is sent again: somebody who has named the time of the next try is not hurried before it."""
    heard = max(heard_at, next_try_at or heard_at)
    return heard + timedelta(seconds=PATIENCE[status].allowed)


def due_at(order: Order) -> datetime:
    """The same for an order that has just taken a step."""
    wait = Wait(order.id, order.status, order.at, order.next_try_at, order.reserved_until, order.created_at)
    return wait.due_at


def open_requests(order: Order, placed: OrderPlaced | None) -> Sequence[Fact]:
    """What the order waits for an answer to, to be sent once more; `placed` where it asks for stock.

    Whoever has done it already answers with what was recorded then, so that nothing is done twice.
    """
    match order.status:
        case Status.PENDING | Status.AWAITING_RESTOCK:
            return [placed] if placed else []
        case Status.RESERVED | Status.PAYMENT_PROCESSING:
            return [PaymentRequested(order.reserved_until or order.at)]
        case Status.CANCELLING | Status.COMPENSATING:
            return [*_stock_of(order), *_money_of(order)]
    return []


def _stock_of(order: Order) -> Sequence[Fact]:
    if order.is_stock_released:
        return []
    return [OrderCancelling() if order.status is Status.CANCELLING else OrderCompensating()]


def _money_of(order: Order) -> Sequence[Fact]:
    if order.payment_status not in OPEN_PAYMENTS:
        return []
    if order.payment_status is PaymentStatus.PENDING:
        return [PaymentGiveUpRequested(GiveUpReason.CANCELLING)]
    return [PaymentVoidRequested()]


class Stuck(NamedTuple):
    """An order that stays where it stands for longer than allowed."""

    id: str
    customer_id: str
    status: Status
    payment_status: PaymentStatus
    attention: str | None
    heard_at: datetime
    is_stock_released: bool
    requests_sent: int
    next_try_at: datetime | None
    letter: str | None

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        if self.letter:
            return f"A fact about it could not be applied: {self.letter}"
        if self.status is Status.COMPLETED and self.attention == "payment_unknown":
            return "The payment provider has not told what became of its refund."
        return _REASONS.get(self.attention or "") or self._awaited()

    def _awaited(self) -> str:
        match self.status:
            case Status.PENDING:
                return "Inventory has not said whether its stock is held."
            case Status.AWAITING_RESTOCK:
                return "The goods that are missing have not come, and nobody has said that they will not."
            case Status.RESERVED:
                return "Payments has not said whether the money was asked for."
            case Status.PAYMENT_PROCESSING:
                return "Payments has not said what became of the charge."
            case Status.COMPLETED:
                return "Payments has not said what became of its refund."
        if not self.is_stock_released:
            return "Inventory has not said that its stock was given back."
        return "Payments has not said that no money of it is left at the provider."


_REASONS: Final = {
    "payment_unknown": "The payment provider has not told what became of the charge.",
    "payment_operator": "Its payment waits for somebody to settle it by hand.",
    "refund_failed": "The payment provider refuses to give its money back.",
    "supplier_wait": "The supplier has taken it on, and has not delivered.",
    "supplier_unreachable": "The supplier cannot be reached.",
}
