"""How a payment stands: what is recorded of it, the steps it takes, and what it tells of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from payment_service.domain.answers import Asked, Question
from payment_service.domain.attempts import LOST, MOST_ATTEMPTS, Attempt, outcome_of
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
from payment_service.domain.status import NEXT_STATUSES, PAID, IllegalTransition, Status


@dataclass(slots=True, eq=False)
class Standing:
    """Money asked for an order; `id` is also the key it is known by at the provider.

    `needs_operator`: nobody but a person can say what became of it, or what it should have been.
    """

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
    needs_operator: bool = False
    owner_mark: bytes | None = None
    """By which its customer is known; None where it was never told."""
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
        owner_mark: bytes | None = None,
    ) -> Self:
        """A payment whose charge is sent by who commits it: on the common path one transaction less."""
        payment = cls(
            order_id, payment_id, Status.SENDING, *amount, payment_method, reserved_until, at,
            owner_mark=owner_mark, is_changed=True,
        )  # fmt: skip
        payment.attempts.append(Attempt(Question.CHARGE, at))
        payment.wanted_calls.append(Question.CHARGE)
        return payment

    @classmethod
    def closed(cls, order_id: str, payment_id: str, at: datetime) -> Self:
        """The door of an order whose payment was never asked for, and now never will be."""
        closed = cls(order_id, payment_id, Status.CLOSED, 0, "", "", at, at, is_changed=True)
        closed.answer_again()
        return closed

    def answer_again(self) -> None:
        """Tell once more how it stands, to who asks for what was done already."""
        status = self.status
        if status is Status.SENDING:
            self._tell(PaymentStarted(self.order_id, self.id, self.created_at))
        elif status in PAID:
            self._tell_captured()
        elif status is Status.DECLINED:
            self._tell_declined()
        elif status is Status.UNAVAILABLE:
            self._tell(PaymentUnavailable(self.order_id, self.id, self.created_at))
        elif status is Status.CLOSED:
            self._tell(PaymentClosed(self.order_id))
        elif status is Status.VOIDED:
            self._tell(PaymentVoided(self.order_id, self.id))
        elif status is Status.UNKNOWN:
            self._tell_unknown()

    def note_saved(self) -> None:
        """What has changed is committed, and was told."""
        self.version += 1
        self.is_changed = False
        self.facts, self.wanted_calls = [], []

    def note_attempt(self, asked: Asked) -> None:
        """Write down a question that is over, with its answer."""
        self._begin(asked.question, asked.started_at)
        attempt = self.attempts[-1]
        attempt.ended_at = asked.ended_at
        attempt.outcome, attempt.detail = outcome_of(asked.answer)

    def note_refunded(self, amount_minor: int) -> None:
        """So much more was given back."""
        self.refunded_minor += amount_minor
        is_all = self.refunded_minor >= self.captured_minor
        refunded = Status.REFUNDED if is_all else Status.PARTIALLY_REFUNDED
        if self.status is not refunded:
            self._move(refunded)

    def _move(self, status: Status) -> None:
        if status not in NEXT_STATUSES[self.status]:
            raise IllegalTransition(f"payment {self.id} cannot go from {self.status} to {status}")
        self.status = status
        self.is_changed = True

    def _begin(self, question: Question, at: datetime) -> None:
        self.attempts.append(Attempt(question, at))
        if len(self.attempts) > MOST_ATTEMPTS:
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
        attempt.outcome, attempt.detail = outcome_of(asked.answer)
        self.is_changed = True

    def _lose_open_attempt(self, asked: Asked) -> None:
        for attempt in self.attempts:
            if attempt.kind is Question.CHARGE and not attempt.outcome:
                attempt.ended_at, attempt.outcome = asked.started_at, LOST

    def _settle(self) -> None:
        """Its end is known: nobody needs to be asked any more."""
        self.next_try_at = None
        self.needs_operator = False
        self.is_changed = True

    def _tell(self, fact: Fact) -> None:
        self.facts.append(fact)

    def _call_operator(self) -> None:
        self._tell(PaymentAttention(self.order_id, Attention.PAYMENT_OPERATOR, self.next_try_at))

    def _tell_unknown(self) -> None:
        if self.next_try_at is not None:
            self._tell(PaymentUnknown(self.order_id, self.id, self.next_try_at, self.created_at))
        if self.needs_operator:
            self._call_operator()

    def _tell_captured(self) -> None:
        self._tell(
            PaymentCaptured(
                self.order_id, self.id, self.amount_minor, self.currency, self.provider_reference, self.created_at
            )
        )

    def _tell_declined(self) -> None:
        self._tell(PaymentDeclined(self.order_id, self.id, self.decline_code, self.decline_reason, self.created_at))
