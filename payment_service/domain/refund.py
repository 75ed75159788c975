"""Money of a payment that is given back: asked for under a key of its own, and on the same schedule as a charge."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from payment_service.domain.answers import (
    Answer,
    Asked,
    ErrorAnswer,
    NotFound,
    NotSent,
    Question,
    Refunded,
    Refused,
)
from payment_service.domain.facts import Attention, RefundDelayed, RefundFailed, RefundSucceeded
from payment_service.domain.payment import Payment
from payment_service.domain.policy import DAILY, Next, Policy, after_errors, after_not_sent
from payment_service.domain.settling import PaymentNotSettleable, Settlement
from payment_service.domain.status import PAID, UNDECIDED


class RefundStatus(StrEnum):
    """Where a refund stands."""

    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


_SETTLEMENTS: Final = frozenset({Settlement.GIVEN_BACK, Settlement.NOT_GIVEN_BACK})
_ENDED: Final = frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED})


class PaymentUndecided(Exception):
    """Money is asked back of a payment of which nobody knows yet whether it was captured."""


@dataclass(slots=True, eq=False)
class Refund:
    """Money to be given back of `payment`; `id` is also the key it is known by at the provider.

    `sent_at`: when it was last sent, for all we know. The counts say how often which answer came.
    """

    payment: Payment
    id: str
    amount_minor: int
    status: RefundStatus
    created_at: datetime
    sent_at: datetime | None = None
    not_sent: int = 0
    errors: int = 0
    refusals: int = 0
    unknown_steps: int = 0
    attention: Attention = Attention.NONE
    next_try_at: datetime | None = None
    reason: str = ""
    is_new: bool = False
    is_changed: bool = False

    @classmethod
    def requested(
        cls, payment: Payment, others: Iterable["Refund"], refund_id: str, amount: tuple[int, str], at: datetime
    ) -> "Refund":
        """A refund that is sent by who commits it; FAILED at once where the payment does not have that money.

        Rule (protocols: payment, refunds): never more than was captured, those counted that may still succeed. Raises
        PaymentUndecided.
        """
        if payment.status in UNDECIDED:
            raise PaymentUndecided(f"payment {payment.id} is {payment.status}")
        amount_minor, currency = amount
        refund = cls(payment, refund_id, amount_minor, RefundStatus.SENDING, at, is_new=True)
        taken = sum(each.amount_minor for each in others if each.status is not RefundStatus.FAILED)
        left = payment.captured_minor - taken
        is_paid = payment.status in PAID and not payment.is_void_requested
        if not is_paid or currency != payment.currency or not 0 < amount_minor <= left:
            refund._fail(f"The payment is {payment.status}, and {max(left, 0)} of its minor units are left.")
        payment.is_changed = True
        return refund

    @property
    def wants_call(self) -> bool:
        """It is to be sent for the first time."""
        return self.is_new and self.status is RefundStatus.SENDING

    def answer_again(self) -> None:
        """Tell once more how it stands, to who asks for what was asked before; nothing while it is being sent."""
        order_id, facts = self.payment.order_id, self.payment.facts
        if self.status is RefundStatus.SUCCEEDED:
            facts.append(RefundSucceeded(order_id, self.id, self.amount_minor))
        elif self.status is RefundStatus.FAILED:
            facts.append(RefundFailed(order_id, self.id, self.reason))
        elif self.next_try_at is not None:
            facts.append(RefundDelayed(order_id, self.id, self.attention, self.next_try_at))

    def take_answer(self, asked: Asked, policy: Policy) -> Next | None:
        """Make of an answer what it means; what is to be asked next, or None when this refund has come to its end."""
        self.payment.note_attempt(asked)
        if self.status in _ENDED:
            return None  # somebody who took it over has heard the answer before
        self.is_changed = True
        answer, at = asked.answer, asked.ended_at
        if asked.question is Question.REFUND and not isinstance(answer, NotSent):
            self.sent_at = asked.started_at
        if isinstance(answer, Refunded):
            return self._succeed(answer, at)
        if asked.question is Question.REFUND:
            return self._after_send(answer, at, policy)
        if isinstance(answer, NotFound):
            return self._after_not_found(asked, policy)
        return self._doubt(at, policy, was_asked=not isinstance(answer, NotSent))

    def settle(self, settlement: Settlement) -> None:
        """End by an operator's word what the provider does not tell, or refuses. Raises PaymentNotSettleable."""
        if self.status in _ENDED or self.attention is Attention.NONE or settlement not in _SETTLEMENTS:
            raise PaymentNotSettleable(
                f"the refund is {self.status} and cannot be settled as {settlement}", metadata={"status": self.status}
            )
        self.is_changed = self.payment.is_changed = True
        if settlement is Settlement.GIVEN_BACK:
            self._end(RefundStatus.SUCCEEDED)
            self.payment.note_refunded(self.amount_minor)
        else:
            self._fail("The payment provider has not given the money back.")

    def _after_send(self, answer: Answer, at: datetime, policy: Policy) -> Next | None:
        if isinstance(answer, Refused):
            return self._after_refusal(answer, at, policy)
        if isinstance(answer, NotSent):
            return self._after_not_sent(at, policy)
        if isinstance(answer, ErrorAnswer):
            self.errors += 1
            if self.errors < policy.attempts:
                return Next(Question.REFUND, after_errors(self.errors))
        return self._doubt(at, policy)

    def _after_refusal(self, answer: Refused, at: datetime, policy: Policy) -> Next | None:
        """Rule (protocols: payment): what the provider refuses is asked for on the schedule, then is an operator's."""
        step, self.refusals = self.refusals, self.refusals + 1
        if step >= len(policy.unknown_schedule):
            self._fail(answer.reason)
            return None
        return self._delay(Question.REFUND, Attention.REFUND_FAILED, at, policy.unknown_schedule[step])

    def _after_not_sent(self, at: datetime, policy: Policy) -> Next:
        """What never reached the provider is sent until it does: nobody else will give this money back."""
        self.not_sent += 1
        if self.not_sent <= policy.attempts:
            return Next(Question.REFUND, after_not_sent(self.not_sent))
        step = min(self.not_sent - policy.attempts, len(policy.unknown_schedule)) - 1
        return self._delay(Question.REFUND, Attention.REFUND_FAILED, at, policy.unknown_schedule[step])

    def _after_not_found(self, asked: Asked, policy: Policy) -> Next:
        """Rule (protocols: payment): "not found" counts only when asked long enough after the last send; then the
        refund is sent again under the same key, while the provider is sure to remember it."""
        # Nobody sends in the second half of a lease, and that half is longer than the time-out.
        is_sure = asked.is_taken_over or self.sent_at is None or asked.started_at - self.sent_at >= policy.timeout
        if is_sure and asked.ended_at - self.created_at < policy.key_age:
            return Next(Question.REFUND, 0.0)
        return self._doubt(asked.ended_at, policy)

    def _doubt(self, at: datetime, policy: Policy, *, was_asked: bool = True) -> Next:
        """Rule (protocols: payment): unknown is asked by our key on the schedule, then daily, for an operator; what
        never reached the provider was not asked, and that step comes again."""
        step = self.unknown_steps if was_asked else max(self.unknown_steps - 1, 0)
        self.unknown_steps = step + 1
        self.status = RefundStatus.UNKNOWN
        if step >= len(policy.unknown_schedule):
            return self._delay(Question.REFUND_LOOK_UP, Attention.PAYMENT_OPERATOR, at, DAILY)
        return self._delay(Question.REFUND_LOOK_UP, Attention.PAYMENT_UNKNOWN, at, policy.unknown_schedule[step])

    def _delay(self, question: Question, attention: Attention, at: datetime, wait: timedelta) -> Next:
        self.attention, self.next_try_at = attention, at + wait
        self.answer_again()
        return Next(question, wait.total_seconds())

    def _succeed(self, answer: Refunded, at: datetime) -> Next | None:
        if (answer.amount_minor, answer.currency) != (self.amount_minor, self.payment.currency):
            self.status = RefundStatus.UNKNOWN  # not what was asked: nobody but a person can say what it is
            return self._delay(Question.REFUND_LOOK_UP, Attention.PAYMENT_OPERATOR, at, DAILY)
        self._end(RefundStatus.SUCCEEDED)
        self.payment.note_refunded(self.amount_minor)
        return None

    def _fail(self, reason: str) -> None:
        self.reason = reason
        self._end(RefundStatus.FAILED)

    def _end(self, status: RefundStatus) -> None:
        self.status, self.attention, self.next_try_at = status, Attention.NONE, None
        self.answer_again()
