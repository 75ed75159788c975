"""An order and what may happen to it. Pure: time, actor and trace are given, facts and steps are left to be written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from order_service.domain.facts import (
    Fact,
    GiveUpReason,
    OrderCancelled,
    OrderCancelling,
    OrderCompensating,
    OrderCompleted,
    OrderExpired,
    OrderFailed,
    PaymentGiveUpRequested,
    PaymentRequested,
    PaymentVoidRequested,
    SupplierOrderCancelRequested,
    SupplierOrderRequested,
)
from order_service.domain.refusals import IllegalTransition, OrderNotCancellable
from order_service.domain.states import (
    GIVEN_UP,
    NEXT_STATUSES,
    ON_THE_WAY,
    OPEN_PAYMENTS,
    TERMINAL,
    Attention,
    FailureCode,
    PaymentStatus,
    Status,
)


class Shortage(NamedTuple):
    """What is missing of one SKU: pieces asked for by all lines together, and pieces that were to be had."""

    sku: str
    requested: int
    available: int


class MissingGoods(NamedTuple):
    """Pieces of one SKU that a supplier shall deliver for an order."""

    sku: str
    quantity: int
    supplier: str
    supplier_scenario: str


class Step(NamedTuple):
    """A row of the timeline: a step between two states, or a change within one (`previous` = `status`)."""

    version: int
    previous: Status | None
    status: Status
    reason: str
    actor: str
    at: datetime
    traceparent: str

    @property
    def is_move(self) -> bool:
        """The order stands elsewhere after it."""
        return self.previous is not self.status


_COMPLETED: Final = OrderCompleted()
_VOID: Final = PaymentVoidRequested()
_NO_GOODS: Final = SupplierOrderCancelRequested()


@dataclass(slots=True, eq=False)
class Order:
    """One order, as far as its life is concerned; its lines do not take part in it.

    `actor`, `traceparent` and `at` say by whom, in which trace and when the next steps are taken.
    """

    id: str
    customer_id: str
    status: Status
    previous_status: Status | None
    payment_status: PaymentStatus
    total_minor: int
    currency: str
    payment_method: str
    version: int
    is_held: bool
    is_stock_released: bool
    reserved_until: datetime | None
    failure_code: FailureCode | None
    attention: Attention | None
    next_try_at: datetime | None
    created_at: datetime
    at: datetime
    actor: str = ""
    traceparent: str = ""
    failure_message: str | None = None
    refunded_minor: int = 0
    """Known only where its refunds were loaded."""
    shortages: Sequence[Shortage] = ()
    steps: list[Step] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    stored_version: int = field(init=False)

    def __post_init__(self) -> None:
        self.stored_version = self.version

    @property
    def is_on_the_way(self) -> bool:
        """It may still be completed."""
        return self.status in ON_THE_WAY

    @property
    def is_given_up(self) -> bool:
        """It is being undone, or was."""
        return self.status in GIVEN_UP

    @property
    def has_ended(self) -> bool:
        """Nothing more will happen to it but what comes too late."""
        return self.status in TERMINAL

    @property
    def has_unanswered_payment(self) -> bool:
        """Its money was asked for, and nobody has said yet what became of that."""
        return self.payment_status in (PaymentStatus.PENDING, PaymentStatus.UNKNOWN)

    def reserve(self, until: datetime) -> None:
        """All of it is held: ask for the money. What is still on order for it is not needed any more."""
        was_waiting = self.status is Status.AWAITING_RESTOCK
        self._move(Status.RESERVED, "All of it is held.")
        self.is_held = True
        self.reserved_until = until
        self.payment_status = PaymentStatus.PENDING
        self.facts.append(PaymentRequested(until))
        if was_waiting:
            self._attend(None, None)
            self.facts.append(_NO_GOODS)

    def reject(self, shortages: Sequence[Shortage]) -> None:
        """Nothing of it is held, for stock does not suffice."""
        self.failure_code = FailureCode.INSUFFICIENT_STOCK
        self.failure_message = f"Not enough stock of {', '.join(shortage.sku for shortage in shortages)}."
        self.shortages = shortages
        self.is_stock_released = True
        self._move(Status.FAILED, self.failure_message)
        self.facts.append(OrderFailed())

    def await_restock(self, missing: Sequence[MissingGoods]) -> None:
        """What exists is held; the rest is asked of suppliers, each SKU on its own."""
        self._move(Status.AWAITING_RESTOCK, f"Waits for {', '.join(goods.sku for goods in missing)} from the supplier.")
        self._attend(Attention.SUPPLIER_WAIT, None)
        self.facts.extend(SupplierOrderRequested(*goods) for goods in missing)

    def wait_for_supplier(self, attention: Attention, next_try_at: datetime | None, reason: str) -> None:
        """The goods take longer, or nobody knows; it goes on waiting, and says so."""
        self._note(reason)
        self._attend(attention, next_try_at)

    def start_payment(self, at: datetime) -> None:
        """The provider is being asked: from now on the reservation ends with the order, not with the clock."""
        self._move(Status.PAYMENT_PROCESSING, "The payment provider is being asked.", at)
        self.reserved_until = None

    def complete(self) -> None:
        """The money is there: its stock is sold."""
        self._move(Status.COMPLETED, "Paid.")
        self.payment_status = PaymentStatus.PAID
        self._attend(None, None)
        self.facts.append(_COMPLETED)

    def doubt_payment(self, next_try_at: datetime) -> None:
        """Nobody can say yet whether the money was taken: keep the stock, and say so."""
        self._note("The provider has not told what became of the charge.")
        self.payment_status = PaymentStatus.UNKNOWN
        self._attend(Attention.PAYMENT_UNKNOWN, next_try_at)
        if self.is_given_up:
            self.facts.append(_VOID)

    def note_attention(self, attention: Attention | None, next_try_at: datetime | None) -> None:
        """Its money needs somebody to look at it, or does not any more."""
        self._note(f"Needs attention: {attention}." if attention else "Needs no attention any more.")
        self._attend(attention, next_try_at)

    def compensate(self, code: FailureCode, reason: str) -> None:
        """It cannot be completed: everything is undone before it may fail or expire."""
        was_waiting = self.status is Status.AWAITING_RESTOCK
        self.failure_code = code
        self.failure_message = reason
        self._move(Status.COMPENSATING, reason)
        if self.payment_status is not PaymentStatus.NONE:
            self.payment_status = PaymentStatus.FAILED
        self.reserved_until = None
        self._attend(None, None)
        self.facts.append(OrderCompensating())
        if was_waiting:
            self.facts.append(_NO_GOODS)

    def cancel(self, reason: str) -> None:
        """Give the stock back at once, and close the door to the provider where it was asked for money.

        Nothing happens to an order that is being cancelled or was. Raises OrderNotCancellable.
        """
        if self.status in (Status.CANCELLING, Status.CANCELLED):
            return
        if not self.is_on_the_way:
            raise OrderNotCancellable(
                f"the order is {self.status} and cannot be cancelled any more", metadata={"status": self.status}
            )
        was_waiting = self.status is Status.AWAITING_RESTOCK
        self._move(Status.CANCELLING, reason or "Cancelled on request.")
        self.reserved_until = None
        self._attend(None, None)
        self.facts.append(OrderCancelling())
        if was_waiting:
            self.facts.append(_NO_GOODS)
        if self.payment_status in OPEN_PAYMENTS:
            self.facts.append(PaymentGiveUpRequested(GiveUpReason.CANCELLING))

    def ask_to_expire(self) -> None:
        """Its time is over: ask payments to close the door. It stays as it is until that is answered."""
        self.facts.append(PaymentGiveUpRequested(GiveUpReason.EXPIRING))

    def release_stock(self) -> None:
        """Inventory holds nothing for it any more."""
        self.is_stock_released = True
        if not self._finish_undoing():
            self._note("Its stock was given back.")

    def settle_without_money(self) -> None:
        """There is no money of it at the provider, and there will be none."""
        self.payment_status = PaymentStatus.FAILED
        self._attend(None, None)
        if not self._finish_undoing():
            self._note("No money was taken.")

    def take_money_back(self) -> None:
        """Money came for an order that was given up: it goes back, and nothing is resurrected."""
        self._note("Money that came too late is being given back.")
        self.payment_status = PaymentStatus.PAID
        self.facts.append(_VOID)

    def stop_charge(self) -> None:
        """A charge is under way for an order that was given up: what it brings is to be given back."""
        self.facts.append(_VOID)

    def settle_with_void(self) -> None:
        """The money was taken back."""
        self.payment_status = PaymentStatus.VOIDED
        self._attend(None, None)
        if not self._finish_undoing():
            self._note("The money was given back.")

    def note_refund(self, reason: str, attention: Attention | None, next_try_at: datetime | None) -> None:
        """Something became of a refund of it."""
        self._note(reason)
        self._attend(attention, next_try_at)

    def _finish_undoing(self) -> bool:
        """Rule: a FAILED, CANCELLED or EXPIRED order never holds stock or money, so it ends with the last undo."""
        if self.has_ended or not self.is_stock_released or self.payment_status in OPEN_PAYMENTS:
            return False
        if self.status is Status.CANCELLING:
            self._move(Status.CANCELLED, "Everything is undone.")
            self.facts.append(OrderCancelled())
        elif self.failure_code is FailureCode.RESERVATION_EXPIRED:
            self._move(Status.EXPIRED, "Its time was over; everything is undone.")
            self.facts.append(OrderExpired())
        else:
            self._move(Status.FAILED, "Everything is undone.")
            self.facts.append(OrderFailed())
        return True

    def _move(self, status: Status, reason: str, at: datetime | None = None) -> None:
        if status not in NEXT_STATUSES[self.status]:
            raise IllegalTransition(f"order {self.id} cannot go from {self.status} to {status}")
        self.version += 1
        self.steps.append(Step(self.version, self.status, status, reason, self.actor, at or self.at, self.traceparent))
        self.previous_status, self.status = self.status, status

    def _note(self, reason: str) -> None:
        self.version += 1
        self.steps.append(Step(self.version, self.status, self.status, reason, self.actor, self.at, self.traceparent))

    def _attend(self, attention: Attention | None, next_try_at: datetime | None) -> None:
        self.attention = attention
        self.next_try_at = next_try_at
