"""A supplier order: goods for one order, from the request until they are here or will not come."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from supplier_service.domain.answers import (
    Accepted,
    Answer,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    Question,
    Rejected,
    SupplierTrouble,
)
from supplier_service.domain.facts import (
    Fact,
    FailureCode,
    SupplierOrderAccepted,
    SupplierOrderCancelled,
    SupplierOrderDelayed,
    SupplierOrderDelivered,
    SupplierOrderFailed,
    SupplierOrderRejected,
    SupplierOrderUnreachable,
)
from supplier_service.domain.policy import Next, Policy

_UNREACHABLE_AFTER: Final = 2
"""Questions in a row that may fail before others are told."""


class Status(StrEnum):
    """Where a supplier order stands."""

    REQUESTED = "REQUESTED"
    ACCEPTED = "ACCEPTED"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    NOT_NEEDED = "NOT_NEEDED"


NEXT_STATUSES: Final[dict[Status, frozenset[Status]]] = {
    Status.REQUESTED: frozenset({Status.ACCEPTED, Status.REJECTED, Status.FAILED, Status.CANCELLED, Status.NOT_NEEDED}),
    Status.ACCEPTED: frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED, Status.NOT_NEEDED}),
    Status.NOT_NEEDED: frozenset({Status.DELIVERED}),  # goods that still come are free stock
    Status.DELIVERED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
_OPEN: Final = frozenset({Status.REQUESTED, Status.ACCEPTED})


class IllegalTransition(Exception):
    """A supplier order was to take a step that its table of states does not have: a bug, never a client's fault."""


@dataclass(slots=True, eq=False)
class SupplierOrder:
    """Goods asked of a supplier for one order; `id` is also the key and reference it is known by there."""

    order_id: str
    sku: str
    id: str
    status: Status
    quantity: int
    supplier: str
    scenario: str
    created_at: datetime
    reference: str = ""
    checks_made: int = 0
    delayed_answers: int = 0
    failures: int = 0
    next_check_at: datetime | None = None
    failure_code: str = ""
    failure_message: str = ""
    is_cancel_requested: bool = False
    version: int = 0
    is_changed: bool = False
    facts: list[Fact] = field(default_factory=list)
    wanted_calls: list[Question] = field(default_factory=list)

    def cancel(self) -> None:
        """Its order is gone: let the supplier go, where it can be; else say again how it ended."""
        if self.status not in _OPEN:
            self.answer_again()
        elif not self.is_cancel_requested:
            self.is_cancel_requested = self.is_changed = True
            self.wanted_calls.append(Question.CANCEL)

    def answer_again(self) -> None:
        """Tell once more how it stands, to who asks for what was done already."""
        names = (self.order_id, self.sku, self.id)
        match self.status:
            case Status.ACCEPTED:
                self.facts.append(SupplierOrderAccepted(*names))
            case Status.DELIVERED:
                self.facts.append(SupplierOrderDelivered(*names, self.quantity))
            case Status.REJECTED:
                self.facts.append(SupplierOrderRejected(*names, self.failure_message))
            case Status.FAILED:
                code = FailureCode(self.failure_code)
                self.facts.append(SupplierOrderFailed(*names, code, self.failure_message))
            case Status.CANCELLED | Status.NOT_NEEDED:
                self.facts.append(SupplierOrderCancelled(*names))

    def take_answer(self, question: Question, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        """Make of an answer what it means; what is to be asked next, or None when this question has come to its end."""
        if isinstance(answer, Delivered) and self.status in (Status.ACCEPTED, Status.NOT_NEEDED):
            self.checks_made += question is Question.CHECK
            self._end(Status.DELIVERED)
            return None
        if self.status not in _OPEN:
            return None
        if isinstance(answer, SupplierTrouble):
            return self._after_trouble(question, at, policy)
        self.failures = 0
        self.is_changed = True
        if question is Question.CANCEL:
            self._end(Status.CANCELLED if isinstance(answer, Cancelled) else Status.NOT_NEEDED)
            return None
        if question is Question.RESERVE:
            return self._after_reserve(answer, at, policy)
        return self._after_check(answer, at, policy)

    def note_saved(self) -> None:
        """What has changed is committed, and was told."""
        self.version += 1
        self.is_changed = False
        self.facts, self.wanted_calls = [], []

    def _after_reserve(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        if isinstance(answer, Accepted):
            if self.status is Status.REQUESTED:
                self._move(Status.ACCEPTED)
                self.reference = answer.reference
                self.answer_again()
            return self._check_later(at, policy)
        if self.status is Status.REQUESTED:
            self.failure_message = answer.reason if isinstance(answer, Rejected) else "The supplier did not take it on."
            self._end(Status.REJECTED)
        return None

    def _after_check(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        self.checks_made += 1
        if isinstance(answer, Failed):
            self._fail(FailureCode.SUPPLIER_FAILED, answer.reason)
            return None
        if isinstance(answer, Delayed):
            return self._after_delay(at, policy)
        if self._is_too_old(at, policy):
            return None
        return self._check_later(at, policy)

    def _after_delay(self, at: datetime, policy: Policy) -> Next | None:
        """Rule: so many delayed answers are borne, the next one ends it."""
        self.delayed_answers += 1
        if self.delayed_answers > policy.max_delayed:
            self._fail(FailureCode.SUPPLIER_DELAYED, f"The supplier was late {self.delayed_answers} times.")
            return None
        if self._is_too_old(at, policy):
            return None
        following = self._check_later(at, policy)
        if following is not None and self.next_check_at is not None:
            self.facts.append(SupplierOrderDelayed(self.order_id, self.sku, self.id, self.next_check_at))
        return following

    def _after_trouble(self, question: Question, at: datetime, policy: Policy) -> Next | None:
        """Rule: errors and timeouts are no answers; they end a supplier order only when its time is over."""
        self.failures += 1
        self.is_changed = True
        if self._is_too_old(at, policy):
            return None
        pause = policy.pause_after_failures(self.failures)
        self.next_check_at = at + timedelta(seconds=pause)
        if self.failures >= _UNREACHABLE_AFTER:
            self.facts.append(SupplierOrderUnreachable(self.order_id, self.sku, self.id, self.next_check_at))
        return Next(question, pause)

    def _check_later(self, at: datetime, policy: Policy) -> Next | None:
        if self.is_cancel_requested:
            return None
        pause = policy.pause_after_checks(self.checks_made)
        self.next_check_at = at + timedelta(seconds=pause)
        self.is_changed = True
        return Next(Question.CHECK, pause)

    def _is_too_old(self, at: datetime, policy: Policy) -> bool:
        if at - self.created_at < policy.deadline:
            return False
        if self.is_cancel_requested:
            self._end(Status.NOT_NEEDED)
        else:
            self._fail(FailureCode.SUPPLIER_FAILED, "The supplier has not delivered in the time it was given.")
        return True

    def _fail(self, code: FailureCode, reason: str) -> None:
        self.failure_code, self.failure_message = code, reason
        self._end(Status.FAILED)

    def _end(self, status: Status) -> None:
        self._move(status)
        self.next_check_at = None
        self.answer_again()

    def _move(self, status: Status) -> None:
        if status not in NEXT_STATUSES[self.status]:
            raise IllegalTransition(f"supplier order {self.id} cannot go from {self.status} to {status}")
        self.status = status
        self.is_changed = True


def requested_order(
    names: tuple[str, str, str], quantity: int, supplier: str, scenario: str, at: datetime
) -> SupplierOrder:
    """A supplier order that is to be sent by who commits it; `names` are order, SKU and its own id."""
    made = SupplierOrder(*names, Status.REQUESTED, quantity, supplier, scenario, at, is_changed=True)
    made.wanted_calls.append(Question.RESERVE)
    return made


def unneeded_order(
    names: tuple[str, str, str], quantity: int, supplier: str, scenario: str, at: datetime
) -> SupplierOrder:
    """A supplier order that was asked for after its order was gone: it is never sent."""
    made = SupplierOrder(*names, Status.CANCELLED, quantity, supplier, scenario, at, is_changed=True)
    made.answer_again()
    return made
