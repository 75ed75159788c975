"""The payment of one order: its states, and what each answer of the provider makes of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from payment_service.domain.answers import (
    Answer,
    Asked,
    Captured,
    Declined,
    ErrorAnswer,
    NotFound,
    NotSent,
    ProviderTrouble,
    Question,
    Refused,
    Voided,
)
from payment_service.domain.facts import (
    Attention,
    Fact,
    PaymentAttention,
    PaymentCaptured,
    PaymentClosed,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnavailable,
    PaymentUnknown,
    PaymentVoided,
)
from payment_service.domain.policy import DAILY, Next, Policy, after_errors, after_not_sent

_MOST_ATTEMPTS: Final = 100
"""Attempts kept in a payment's row: the first, and the newest of the others."""
LOST: Final = "lost"
"""What an attempt shows whose caller died: nobody knows whether it was sent."""


class Status(StrEnum):
    """Where a payment stands."""

    INTENT = "INTENT"
    SENDING = "SENDING"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"
    CLOSED = "CLOSED"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


NEXT_STATUSES: Final[dict[Status, frozenset[Status]]] = {
    Status.INTENT: frozenset({Status.SENDING, Status.CLOSED, Status.UNAVAILABLE}),
    Status.SENDING: frozenset(
        {Status.INTENT, Status.CAPTURED, Status.DECLINED, Status.UNAVAILABLE, Status.UNKNOWN, Status.CLOSED}
    ),
    Status.UNKNOWN: frozenset({Status.CAPTURED, Status.DECLINED, Status.VOIDED}),
    Status.CAPTURED: frozenset({Status.VOIDED, Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.REFUNDED}),
    Status.VOIDED: frozenset({Status.CAPTURED}),  # money that shows up late, to be given back
    Status.DECLINED: frozenset(),
    Status.UNAVAILABLE: frozenset(),
    Status.CLOSED: frozenset(),
    Status.REFUNDED: frozenset(),
}

_PAID: Final = frozenset({Status.CAPTURED, Status.PARTIALLY_REFUNDED, Status.REFUNDED})
_UNDECIDED: Final = frozenset({Status.INTENT, Status.SENDING, Status.UNKNOWN})


class IllegalTransition(Exception):
    """A payment was to take a step that its table of states does not have: a bug, never a client's fault."""


@dataclass(slots=True)
class Attempt:
    """One question to the provider; without an outcome while nobody has heard of an answer."""

    kind: Question
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    detail: str = ""


@dataclass(slots=True, eq=False)
class Payment:
    """Money asked for an order; `id` is also the key it is known by at the provider."""

    order_id: str
    id: str
    status: Status
    amount_minor: int
    currency: str
    payment_method: str
    reserved_until: datetime
    created_at: datetime
    captured_minor: int = 0
    refunded_minor: int = 0
    provider_reference: str = ""
    decline_code: str = ""
    decline_reason: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    unknown_steps: int = 0
    next_try_at: datetime | None = None
    is_start_told: bool = False
    is_void_requested: bool = False
    is_voiding: bool = False
    version: int = 0
    is_changed: bool = False
    facts: list[Fact] = field(default_factory=list)
    wanted_calls: list[Question] = field(default_factory=list)

    @classmethod
    def requested(
        cls,
        order_id: str,
        payment_id: str,
        amount: tuple[int, str],
        payment_method: str,
        reserved_until: datetime,
        at: datetime,
    ) -> "Payment":
        """A payment whose charge is sent by who commits it: on the common path one transaction less."""
        payment = cls(
            order_id, payment_id, Status.SENDING, *amount, payment_method, reserved_until, at, is_changed=True
        )
        payment.attempts.append(Attempt(Question.CHARGE, at))
        payment.wanted_calls.append(Question.CHARGE)
        return payment

    @classmethod
    def closed(cls, order_id: str, payment_id: str, at: datetime) -> "Payment":
        """The door of an order whose payment was never asked for, and now never will be."""
        closed = cls(order_id, payment_id, Status.CLOSED, 0, "", "", at, at, is_changed=True)
        closed.answer_again()
        return closed

    def begin_to_send(self, at: datetime) -> Question | None:
        """What may be asked now; a charge only by who commits this.

        Once its money is to be given back a payment is not charged any more, only asked for.
        """
        if self.status not in _UNDECIDED:
            return None
        if self.is_void_requested:
            return Question.LOOK_UP
        self._begin(Question.CHARGE, at)
        if self.status is Status.INTENT:
            self._move(Status.SENDING)
        return Question.CHARGE

    def give_up(self) -> None:
        """Close the door if nothing was sent; else say again how it stands."""
        if self.status is Status.INTENT:
            self._close()
        else:
            self.answer_again()

    def request_void(self, at: datetime) -> None:
        """Money that was or may be taken is to be taken back, at once or as soon as the provider has answered."""
        if self.status is Status.INTENT:
            self._close()
        elif self.status is Status.SENDING:
            self.is_void_requested = self.is_changed = True
        elif self.status in (Status.UNKNOWN, Status.CAPTURED):
            self.is_void_requested = self.is_changed = True
            self._start_void(at)
        else:
            self.answer_again()

    def take_its_time(self) -> None:
        """Tell, once, that the provider is being asked."""
        if self.status is Status.SENDING and not self.is_start_told:
            self.is_start_told = self.is_changed = True
            self.facts.append(PaymentStarted(self.order_id, self.id, self.created_at))

    def answer_again(self) -> None:
        """Tell once more how it stands, to who asks for what was done already."""
        status = self.status
        if status is Status.SENDING:
            self._tell(PaymentStarted(self.order_id, self.id, self.created_at))
        elif status in _PAID:
            self._tell_captured()
        elif status is Status.DECLINED:
            self._tell_declined()
        elif status is Status.UNAVAILABLE:
            self._tell(PaymentUnavailable(self.order_id, self.id, self.created_at))
        elif status is Status.CLOSED:
            self._tell(PaymentClosed(self.order_id))
        elif status is Status.VOIDED:
            self._tell(PaymentVoided(self.order_id, self.id))
        elif status is Status.UNKNOWN and self.next_try_at is not None:
            self._tell(PaymentUnknown(self.order_id, self.id, self.next_try_at, self.created_at))

    def note_saved(self) -> None:
        """What has changed is committed, and was told."""
        self.version += 1
        self.is_changed = False
        self.facts, self.wanted_calls = [], []

    def take_answer(self, asked: Asked, policy: Policy) -> Next | None:
        """Make of an answer what it means; what is to be asked next, or None when this question has come to its end."""
        self._end_attempt(asked)
        answer, at = asked.answer, asked.ended_at
        if asked.question is Question.VOID:
            return self._after_void(answer, at, policy)
        if self.status not in _UNDECIDED and self.status is not Status.VOIDED:
            return None  # somebody who took it over has heard the answer before
        if isinstance(answer, Captured):
            return self._capture(answer, at, policy)
        if isinstance(answer, Declined):
            self._decline(answer)
            return None
        if asked.question is Question.CHARGE:
            return self._after_charge(answer, at, policy)
        return self._after_look_up(asked, policy)

    def _after_charge(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        if self.status in (Status.INTENT, Status.SENDING):
            if isinstance(answer, NotSent):
                return self._after_not_sent(at, policy)
            self._note_sent()
            if isinstance(answer, ErrorAnswer) and not self.is_void_requested:
                return self._after_error(at, policy)
        return self._ask_later(at, policy)

    def _after_not_sent(self, at: datetime, policy: Policy) -> Next | None:
        """Rule: not sent is tried again until the time the reservation would have ended."""
        times = _trailing_not_sent(self.attempts)
        was_sent = any(a.kind is Question.CHARGE and a.outcome != NotSent.outcome for a in self.attempts)
        if was_sent and (self.is_void_requested or at >= self.reserved_until):
            return self._ask_later(at, policy)
        if self.is_void_requested:
            self._close()
            return None
        if at >= self.reserved_until:
            self._move(Status.UNAVAILABLE)
            self.answer_again()
            return None
        if not was_sent and self.status is Status.SENDING:
            self._move(Status.INTENT)
        left = (self.reserved_until - at).total_seconds()
        return Next(Question.CHARGE, min(after_not_sent(times), left))

    def _after_error(self, at: datetime, policy: Policy) -> Next | None:
        """Rule: error answers are tried again under the same key, at most so many times, then unknown."""
        errors = sum(a.outcome == ErrorAnswer.outcome for a in self.attempts if a.kind is Question.CHARGE)
        if errors >= policy.attempts:
            return self._ask_later(at, policy)
        self.take_its_time()
        return Next(Question.CHARGE, after_errors(errors))

    def _after_look_up(self, asked: Asked, policy: Policy) -> Next | None:
        answer = asked.answer
        if self.status is Status.INTENT:  # its caller died before anything was sent
            return Next(Question.CHARGE, 0.0)
        if isinstance(answer, Voided) and self.is_void_requested:
            self._void()
            return None
        if isinstance(answer, NotFound) and not self.is_void_requested:
            return self._after_not_found(asked, policy)
        return self._ask_later(asked.ended_at, policy)

    def _after_not_found(self, asked: Asked, policy: Policy) -> Next | None:
        """Rule: "not found" counts only when asked long enough after the last send; then the charge may be repeated
        under the same key, while the provider is sure to remember it."""
        at = asked.ended_at
        sends = [a.started_at for a in self.attempts if a.kind is Question.CHARGE and a.outcome != NotSent.outcome]
        # Nobody sends in the second half of a lease, and that half is longer than the time-out.
        left = (
            0.0 if asked.is_taken_over else (max(sends, default=at) + policy.timeout - asked.started_at).total_seconds()
        )
        if at - self.created_at >= policy.key_age:
            return self._ask_later(at, policy)
        if left <= 0:
            return Next(Question.CHARGE, 0.0)
        if self.status is Status.UNKNOWN:
            return self._ask_later(at, policy)
        return Next(Question.LOOK_UP, left)

    def _after_void(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        is_taken = self.status is Status.CAPTURED
        if isinstance(answer, Voided) or not (is_taken or self.status is Status.UNKNOWN):
            self._void()
            return None
        if isinstance(answer, NotFound) and not is_taken:
            self._void()
            return None
        failures = sum(a.kind is Question.VOID and a.outcome != "" for a in self.attempts)
        if isinstance(answer, ProviderTrouble) and failures < policy.attempts:
            return Next(Question.VOID, after_errors(failures))
        step = min(max(failures - policy.attempts, 0), len(policy.unknown_schedule) - 1)
        wait = policy.unknown_schedule[step]
        self._tell(PaymentAttention(self.order_id, Attention.REFUND_FAILED, at + wait))
        return Next(Question.VOID, wait.total_seconds())

    def _capture(self, answer: Captured, at: datetime, policy: Policy) -> Next | None:
        self._note_sent()
        if (answer.amount_minor, answer.currency) != (self.amount_minor, self.currency):
            return self._ask_later(at, policy, needs_operator=True)
        self._move(Status.CAPTURED)
        self.captured_minor = answer.amount_minor
        self.provider_reference = answer.reference
        self.next_try_at = None
        self._tell_captured()
        if self.is_void_requested:
            self._start_void(at)
        return None

    def _decline(self, answer: Declined) -> None:
        if self.status is Status.VOIDED:
            return
        self._note_sent()
        self._move(Status.DECLINED)
        self.decline_code, self.decline_reason = answer
        self.next_try_at = None
        self._tell_declined()

    def _ask_later(self, at: datetime, policy: Policy, *, needs_operator: bool = False) -> Next | None:
        """Rule: unknown is asked by our key on the schedule, then daily until an operator settles it."""
        step, self.unknown_steps = self.unknown_steps, self.unknown_steps + 1
        is_over = step >= len(policy.unknown_schedule)
        wait = DAILY if is_over or needs_operator else policy.unknown_schedule[step]
        if self.status is Status.VOIDED:  # given back for all we know; asked for to the end of the schedule only
            return None if is_over else Next(Question.LOOK_UP, wait.total_seconds())
        if self.status is not Status.UNKNOWN:
            self._move(Status.UNKNOWN)
        self.next_try_at = at + wait
        if is_over or needs_operator:
            self._tell(PaymentAttention(self.order_id, Attention.PAYMENT_OPERATOR, self.next_try_at))
        else:
            self.answer_again()
        if self.is_void_requested:
            self._start_void(at)
        return Next(Question.LOOK_UP, wait.total_seconds())

    def _note_sent(self) -> None:
        if self.status is Status.INTENT:
            self._move(Status.SENDING)

    def _close(self) -> None:
        self._move(Status.CLOSED)
        self.answer_again()

    def _void(self) -> None:
        self.is_voiding = False
        self.is_changed = True
        if self.status is Status.SENDING:  # known to be taken back before anybody knew that it was taken
            self._move(Status.UNKNOWN)
        if self.status not in (Status.UNKNOWN, Status.CAPTURED):
            return  # there was nothing to take back
        self._move(Status.VOIDED)
        self.captured_minor = 0
        self.next_try_at = None
        self.answer_again()

    def _start_void(self, at: datetime) -> None:
        if not self.is_voiding:
            self.is_voiding = True
            self._begin(Question.VOID, at)
            self.wanted_calls.append(Question.VOID)

    def _begin(self, question: Question, at: datetime) -> None:
        self.attempts.append(Attempt(question, at))
        if len(self.attempts) > _MOST_ATTEMPTS:
            del self.attempts[1]
        self.is_changed = True

    def _end_attempt(self, asked: Asked) -> None:
        """Write the answer to the attempt that was begun for it, or to a new one."""
        if asked.is_taken_over:
            self._lose_open_attempt(asked)
        attempt = next((a for a in reversed(self.attempts) if a.kind is asked.question and not a.outcome), None)
        if attempt is None:
            self._begin(asked.question, asked.started_at)
            attempt = self.attempts[-1]
        attempt.started_at, attempt.ended_at = asked.started_at, asked.ended_at
        attempt.outcome, attempt.detail = _outcome_of(asked.answer)
        self.is_changed = True

    def _lose_open_attempt(self, asked: Asked) -> None:
        for attempt in self.attempts:
            if attempt.kind is Question.CHARGE and not attempt.outcome:
                attempt.ended_at, attempt.outcome = asked.started_at, LOST

    def _move(self, status: Status) -> None:
        if status not in NEXT_STATUSES[self.status]:
            raise IllegalTransition(f"payment {self.id} cannot go from {self.status} to {status}")
        self.status = status
        self.is_changed = True

    def _tell(self, fact: Fact) -> None:
        self.facts.append(fact)

    def _tell_captured(self) -> None:
        self._tell(
            PaymentCaptured(
                self.order_id, self.id, self.amount_minor, self.currency, self.provider_reference, self.created_at
            )
        )

    def _tell_declined(self) -> None:
        self._tell(PaymentDeclined(self.order_id, self.id, self.decline_code, self.decline_reason, self.created_at))


def _trailing_not_sent(attempts: Iterable[Attempt]) -> int:
    times = 0
    for attempt in attempts:
        if attempt.kind is Question.CHARGE:
            times = times + 1 if attempt.outcome == NotSent.outcome else 0
    return times


def _outcome_of(answer: Answer) -> tuple[str, str]:
    match answer:
        case Captured():
            return "captured", ""
        case Declined():
            return "declined", answer.reason
        case Voided():
            return "voided", ""
        case NotFound():
            return "not_found", ""
        case Refused():
            return "refused", answer.reason
        case ProviderTrouble():
            return answer.outcome, str(answer)
