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
    News,
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
    Status.REQUESTED: frozenset(
        # Delivered at once: a webhook may come before the answer to the request.
        {
            Status.ACCEPTED, Status.DELIVERED, Status.REJECTED, Status.FAILED, Status.CANCELLED, Status.NOT_NEEDED,
        }
    ),
    Status.ACCEPTED: frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED, Status.NOT_NEEDED}),
    # Goods that come all the same are free stock.
    Status.NOT_NEEDED: frozenset({Status.DELIVERED}),
    Status.FAILED: frozenset({Status.DELIVERED}),
    Status.CANCELLED: frozenset({Status.DELIVERED}),
    Status.DELIVERED: frozenset(),
    Status.REJECTED: frozenset(),
}  # fmt: skip
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

    @property
    def is_open(self) -> bool:
        """Goods may still be expected of it."""
        return self.status in _OPEN

    def cancel(self) -> None:
        """Its order is gone: let the supplier go, where it can be; else say again how it ended."""
        if not self.is_open:
            self.answer_again()
        elif not self.is_cancel_requested:
            self.is_cancel_requested = self.is_changed = True
            self.wanted_calls.append(Question.CANCEL)

    def answer_again(self) -> None:
        """Tell once more how it stands, to who asks for what was done already."""
        names = (self.order_id, self.sku, self.id)
        match self.status:
            case Status.ACCEPTED:
                self.facts.append(SupplierOrderAccepted(*names, self.next_check_at))
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
        if isinstance(answer, Delivered) and self._may(Status.DELIVERED):
            self.checks_made += question is Question.CHECK
            self._end(Status.DELIVERED)
            return None
        if not self.is_open:
            return self._after_its_end(question, answer, at, policy)
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

    def take_news(self, news: News) -> bool:
        """Make of what a supplier tells without being asked what it means; False when that changes nothing.

        Rule (protocols: suppliers): news and answer both compare with what is, and the first one wins. "Delayed" is no
        answer to a question of ours and is not counted: sent three times over, it would end what two delayed answers
        must not.
        """
        if isinstance(news, Delivered) and self._may(Status.DELIVERED):
            self._end(Status.DELIVERED)
        elif isinstance(news, Accepted) and self.status is Status.REQUESTED:
            self._accept(news.reference)
            self.answer_again()
        elif isinstance(news, Rejected) and self.status is Status.REQUESTED:
            self._reject(news.reason)
        elif isinstance(news, Failed) and self.is_open:
            self._not_delivered(news.reason)
        else:
            return False
        return True

    def note_saved(self) -> None:
        """What has changed is committed, and was told."""
        self.version += 1
        self.is_changed = False
        self.facts, self.wanted_calls = [], []

    def _after_reserve(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        if isinstance(answer, Accepted):
            is_news = self.status is Status.REQUESTED
            if is_news:
                self._accept(answer.reference)
            following = self._check_later(at, policy)
            if is_news:
                self.answer_again()
            return following
        if self.status is Status.REQUESTED:
            self._reject(answer.reason if isinstance(answer, Rejected) else "")
        return None

    def _accept(self, reference: str) -> None:
        self._move(Status.ACCEPTED)
        self.reference = reference

    def _reject(self, reason: str) -> None:
        if self.is_cancel_requested:
            self._end(Status.CANCELLED)
            return
        self.failure_message = reason or "The supplier did not take it on."
        self._end(Status.REJECTED)

    def _after_check(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        self.checks_made += 1
        if isinstance(answer, Failed):
            self._not_delivered(answer.reason)
            return None
        if isinstance(answer, Delayed):
            return self._after_delay(at, policy)
        if self._is_too_old(at, policy):
            return None
        following = self._check_later(at, policy)
        if following is not None:
            self.answer_again()  # who waits is told when it is asked next
        return following

    def _after_delay(self, at: datetime, policy: Policy) -> Next | None:
        """Rule: so many delayed answers are borne, the next one ends it."""
        self.delayed_answers += 1
        if self.delayed_answers > policy.max_delayed:
            self._give_up(FailureCode.SUPPLIER_DELAYED, f"The supplier was late {self.delayed_answers} times.")
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
        pause = policy.until_deadline(policy.pause_after_failures(self.failures), self.created_at, at)
        self.next_check_at = at + timedelta(seconds=pause)
        if self.failures >= _UNREACHABLE_AFTER:
            self.facts.append(SupplierOrderUnreachable(self.order_id, self.sku, self.id, self.next_check_at))
        return Next(question, pause)

    def _check_later(self, at: datetime, policy: Policy) -> Next | None:
        if self.is_cancel_requested:
            return None
        pause = policy.until_deadline(policy.pause_after_checks(self.checks_made), self.created_at, at)
        self.next_check_at = at + timedelta(seconds=pause)
        self.is_changed = True
        return Next(Question.CHECK, pause)

    def _after_its_end(self, question: Question, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        """Only that the supplier lets go of what we gave up is still worth another try."""
        is_unanswered = question is Question.CANCEL and isinstance(answer, SupplierTrouble)
        if not is_unanswered or self.status is not Status.FAILED or at - self.created_at >= policy.deadline:
            return None
        self.failures += 1
        self.is_changed = True
        return Next(question, policy.pause_after_failures(self.failures))

    def _is_too_old(self, at: datetime, policy: Policy) -> bool:
        if at - self.created_at < policy.deadline:
            return False
        if self.is_cancel_requested:
            self._end(Status.NOT_NEEDED)
        else:
            self._give_up(FailureCode.SUPPLIER_FAILED, "The supplier has not delivered in the time it was given.")
        return True

    def _give_up(self, code: FailureCode, reason: str) -> None:
        """The end is ours and not the supplier's, which has to be told: else the goods come, and must be paid for."""
        self._fail(code, reason)
        if not self.is_cancel_requested:
            self.is_cancel_requested = True
            self.wanted_calls.append(Question.CANCEL)

    def _not_delivered(self, reason: str) -> None:
        """The supplier has let it go: because we asked, or because it failed.

        Rule (protocols: suppliers): a question that is asked once more because its caller died may overtake our own
        cancel at the supplier, who then knows nothing of the goods any more, and has not failed.
        """
        if self.is_cancel_requested:
            self._end(Status.CANCELLED)
        else:
            self._fail(FailureCode.SUPPLIER_FAILED, reason)

    def _fail(self, code: FailureCode, reason: str) -> None:
        self.failure_code, self.failure_message = code, reason or "The supplier will not deliver."
        self._end(Status.FAILED)

    def _end(self, status: Status) -> None:
        self._move(status)
        self.next_check_at = None
        self.answer_again()

    def _may(self, status: Status) -> bool:
        return status in NEXT_STATUSES[self.status]

    def _move(self, status: Status) -> None:
        if not self._may(status):
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
