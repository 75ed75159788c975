"""Refunds of an order: what may be asked for, and what becomes of it. They are decided under their order's lock."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from chassis.errors import ValidationFailed
from chassis.money import format_amount
from order_service.domain.facts import OrderRefunded, RefundRequested
from order_service.domain.order import Order
from order_service.domain.refusals import OrderNotRefundable, RefundExceedsPayment
from order_service.domain.states import Attention, PaymentStatus, Status


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class WantedRefund(NamedTuple):
    """Money that is asked back; without an amount, all that is left. `items` are named as they were sent."""

    idempotency_key: str
    fingerprint: bytes
    amount_minor: int | None = None
    items: Sequence[tuple[str, int]] = ()
    restock: bool = False
    reason: str = ""


@dataclass(slots=True, eq=False)
class Refund:
    """One refund; `items` are the pieces that come back with it, and go on the shelf when `restock` says so."""

    id: str
    order_id: str
    idempotency_key: str
    fingerprint: bytes
    amount_minor: int
    items: Mapping[str, int]
    restock: bool
    reason: str
    created_at: datetime
    updated_at: datetime
    status: RefundStatus = RefundStatus.PENDING
    failure_message: str | None = None
    attention: Attention | None = None
    next_try_at: datetime | None = None
    is_new: bool = False
    is_changed: bool = False

    @property
    def is_open(self) -> bool:
        """Its money may still be given back."""
        return self.status in (RefundStatus.PENDING, RefundStatus.UNKNOWN)

    @property
    def restocked(self) -> Mapping[str, int]:
        """What it puts back on the shelf."""
        return self.items if self.restock else {}


@dataclass(slots=True, eq=False)
class Refunds:
    """All refunds of one order, oldest first; `bought` are its pieces, known where a refund is to be judged."""

    order: Order
    refunds: list[Refund]
    bought: Mapping[str, int] = field(default_factory=dict)
    _was_troubled: bool = field(init=False)

    def __post_init__(self) -> None:
        self._was_troubled = any(each.attention for each in self.refunds)
        self.order.refunded_minor = self.refunded_minor

    def under(self, idempotency_key: str) -> Refund | None:
        """The refund that stands under a key."""
        return next((each for each in self.refunds if each.idempotency_key == idempotency_key), None)

    @property
    def changed(self) -> Iterator[Refund]:
        """Those that are to be written."""
        return (each for each in self.refunds if each.is_new or each.is_changed)

    @property
    def refunded_minor(self) -> int:
        """What was given back."""
        return sum(each.amount_minor for each in self.refunds if each.status is RefundStatus.SUCCEEDED)

    @property
    def left_minor(self) -> int:
        """Rule (protocols: payment, refunds): total − Σ refunds not FAILED, for those under way may succeed as well."""
        return self.order.total_minor - sum(each.amount_minor for each in self._counting())

    def request(self, wanted: WantedRefund, refund_id: str) -> Refund:
        """Ask for money back. Raises OrderNotRefundable, RefundExceedsPayment, ValidationFailed."""
        if self.order.status is not Status.COMPLETED:
            raise OrderNotRefundable(
                f"the order is {self.order.status}: only money of a COMPLETED order can be given back",
                metadata={"status": self.order.status},
            )
        refund = Refund(
            refund_id,
            self.order.id,
            wanted.idempotency_key,
            wanted.fingerprint,
            self._amount_of(wanted),
            self._items_of(wanted),
            wanted.restock,
            wanted.reason,
            self.order.at,
            self.order.at,
            is_new=True,
        )
        self.refunds.append(refund)
        for failed in self.refunds:  # who asks again has seen it
            if failed.status is RefundStatus.FAILED and failed.attention:
                failed.attention, failed.is_changed = None, True
        because = f": {wanted.reason}" if wanted.reason else "."
        self._note(f"A refund of {self._money(refund)} was asked for{because}")
        self.order.facts.append(RefundRequested(refund.id, refund.amount_minor))
        return refund

    def ask_again(self, only: Container[str] | None = None) -> list[Refund]:
        """Send the open ones once more, or `only` these; who has carried them out answers with what was recorded."""
        hanging = [each for each in self.refunds if each.is_open and (only is None or each.id in only)]
        self.order.facts.extend(RefundRequested(each.id, each.amount_minor) for each in hanging)
        return hanging

    def succeed(self, refund: Refund) -> None:
        """The money was given back: now its goods may go on the shelf, too."""
        self._become(refund, RefundStatus.SUCCEEDED)
        is_all = self.refunded_minor >= self.order.total_minor
        self.order.payment_status = PaymentStatus.REFUNDED if is_all else PaymentStatus.PARTIALLY_REFUNDED
        self.order.refunded_minor = self.refunded_minor
        self._note(f"{self._money(refund)} was given back.")
        self.order.facts.append(OrderRefunded(refund.id, refund.amount_minor, tuple(sorted(refund.restocked.items()))))

    def fail(self, refund: Refund, reason: str) -> None:
        """The money was not given back, and is free to be asked for again; somebody should look at it."""
        self._become(refund, RefundStatus.FAILED, Attention.REFUND_FAILED)
        refund.failure_message = reason
        self._note(f"The refund {refund.id} of {self._money(refund)} failed: {reason}")

    def delay(self, refund: Refund, attention: Attention, next_try_at: datetime) -> None:
        """It is not carried out yet, and asked for again."""
        is_refused = attention is Attention.REFUND_FAILED
        self._become(refund, RefundStatus.PENDING if is_refused else RefundStatus.UNKNOWN, attention, next_try_at)
        why = "was refused by the provider, and is tried again" if is_refused else "is unknown to have been carried out"
        self._note(f"The refund {refund.id} of {self._money(refund)} {why}.")

    def _amount_of(self, wanted: WantedRefund) -> int:
        left = self.left_minor
        amount = left if wanted.amount_minor is None else wanted.amount_minor
        if not 0 < amount <= left:
            raise RefundExceedsPayment(
                f"{format_amount(left, self.order.currency)} {self.order.currency} is left to be given back",
                metadata={"left": format_amount(left, self.order.currency)},
            )
        return amount

    def _items_of(self, wanted: WantedRefund) -> dict[str, int]:
        back = self._not_put_back() if wanted.restock else Counter(self.bought)
        if not wanted.items:
            if not wanted.restock:
                return {}
            if wanted.amount_minor not in (None, self.left_minor):
                raise _wrong("items", "are needed to restock with a part of the money")
            return dict(+back)
        items: Counter[str] = Counter()
        for place, (sku, quantity) in enumerate(wanted.items):
            items[sku] += quantity
            if sku not in self.bought:
                raise _wrong(f"items[{place}].sku", "is not in the order")
            if items[sku] > back[sku]:
                raise _wrong(f"items[{place}].quantity", f"only {back[sku]} of it can come back")
        return dict(items)

    def _not_put_back(self) -> Counter[str]:
        back = Counter(self.bought)
        for each in self._counting():
            back.subtract(each.restocked)
        return back

    def _counting(self) -> Iterator[Refund]:
        return (each for each in self.refunds if each.status is not RefundStatus.FAILED)

    def _become(
        self,
        refund: Refund,
        status: RefundStatus,
        attention: Attention | None = None,
        next_try_at: datetime | None = None,
    ) -> None:
        refund.status, refund.attention, refund.next_try_at = status, attention, next_try_at
        refund.updated_at, refund.is_changed = self.order.at, True

    def _note(self, reason: str) -> None:
        """A row of the timeline; the order shows what the newest of its refunds needs that needs something."""
        troubled = [each for each in self.refunds if each.attention]
        if troubled:
            self.order.note_refund(reason, troubled[-1].attention, troubled[-1].next_try_at)
        elif self._was_troubled:
            self.order.note_refund(reason, None, None)
        else:  # whatever it needs attention for, it is no refund
            self.order.note_refund(reason, self.order.attention, self.order.next_try_at)
        self._was_troubled = bool(troubled)

    def _money(self, refund: Refund) -> str:
        return f"{format_amount(refund.amount_minor, self.order.currency)} {self.order.currency}"


def _wrong(name: str, sentence: str) -> ValidationFailed:
    return ValidationFailed("the request is not valid", fields={name: [sentence]})
