"""The payment of one order: what may be asked of it, and what each answer of the provider makes of it."""

from dataclasses import dataclass
from datetime import datetime
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
    Voided,
)
from payment_service.domain.attempts import misses_of, sends_of, trailing_not_sent, was_taken_back
from payment_service.domain.facts import Attention, PaymentAttention, PaymentStarted
from payment_service.domain.policy import DAILY, Next, Policy, after_errors, after_not_sent
from payment_service.domain.settling import SETTLED, Noticed, PaymentNotSettleable, Settlement
from payment_service.domain.standing import Standing
from payment_service.domain.status import PAID, UNDECIDED, Status

_MAY_BE_VOIDED: Final = frozenset({Status.UNKNOWN, Status.CAPTURED})
_WITHOUT_MONEY: Final = frozenset({Status.DECLINED, Status.CLOSED, Status.UNAVAILABLE, Status.VOIDED})
_NO_MONEY_LEFT: Final = frozenset({Settlement.NOT_CAPTURED, Settlement.GIVEN_BACK})
"""What an operator may say of money that the provider claimed to have, of a payment that has none."""


@dataclass(slots=True, eq=False)
class Payment(Standing):
    """Money asked for an order, in the hands of a provider that may answer late, twice, wrongly or never."""

    def begin_to_send(self, at: datetime) -> Question | None:
        """What may be asked now; a charge only by who commits this.

        Once its money is to be given back a payment is not charged any more, only asked for.
        """
        if self.status not in UNDECIDED:
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
        elif self.status in _MAY_BE_VOIDED:
            self.is_void_requested = self.is_changed = True
            self._start_void(at)
        else:
            self.answer_again()

    def take_its_time(self) -> None:
        """Tell, once, that the provider is being asked."""
        if self.status is Status.SENDING and not self.is_start_told:
            self.is_start_told = self.is_changed = True
            self.facts.append(PaymentStarted(self.order_id, self.id, self.created_at))

    def take_notice(self, notice: Captured | Declined | Voided, at: datetime, policy: Policy) -> Noticed:
        """Make of what the provider says unasked what it means; what was known already changes nothing.

        Rule (protocols: payment): callback and poll both compare and set, and the first wins. Another amount or
        currency than asked is not applied.
        """
        if isinstance(notice, Captured):
            return self._notice_capture(notice, at, policy)
        if isinstance(notice, Declined) and self.status in UNDECIDED:
            self._decline(notice)
            return Noticed.APPLIED
        if isinstance(notice, Voided) and self.status in _MAY_BE_VOIDED:
            if not self.is_void_requested:
                return self._dispute()  # nobody asked for that
            self._void()
            return Noticed.APPLIED
        return Noticed.KNOWN

    def settle(self, settlement: Settlement, reference: str, at: datetime) -> None:
        """End by an operator's word what the provider does not tell. Raises PaymentNotSettleable."""
        is_unknown, is_paid = self.status is Status.UNKNOWN, self.status in PAID
        if settlement is Settlement.CAPTURED and is_unknown:
            self._take(reference, at)
        elif settlement is Settlement.CAPTURED and is_paid and self.needs_operator:
            self._settle()
            self._tell(PaymentAttention(self.order_id, Attention.NONE, None))
        elif settlement is Settlement.NOT_CAPTURED and is_unknown:
            self._decline(SETTLED)
        elif settlement is Settlement.GIVEN_BACK and self.is_void_requested and self.status in _MAY_BE_VOIDED:
            self._void()
        elif settlement in _NO_MONEY_LEFT and self.status in _WITHOUT_MONEY and self.needs_operator:
            self._settle()
            self._tell(PaymentAttention(self.order_id, Attention.NONE, None))
        else:
            raise PaymentNotSettleable(
                f"the payment is {self.status} and cannot be settled as {settlement}", metadata={"status": self.status}
            )

    def take_answer(self, asked: Asked, policy: Policy) -> Next | None:
        """Make of an answer what it means; what is to be asked next, or None when this question has come to its end."""
        self._end_attempt(asked)
        answer, at = asked.answer, asked.ended_at
        if asked.question is Question.VOID:
            return self._after_void(answer, at, policy)
        if self.status is Status.DECLINED and isinstance(answer, Captured):
            return self._capture_late(answer, at, policy)
        if self.status not in UNDECIDED and self.status is not Status.VOIDED:
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
        times = trailing_not_sent(self.attempts)
        was_sent = bool(sends_of(self.attempts))
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
        if isinstance(answer, NotFound) and self.status is Status.UNKNOWN and self._was_missed_twice(policy):
            self._void()  # and stays on its schedule, for money that comes yet
        return self._ask_later(asked.ended_at, policy, was_asked=not isinstance(answer, NotSent))

    def _was_missed_twice(self, policy: Policy) -> bool:
        """Rule (protocols: payment): without a void, "not found" ends a cancel only when it was said twice, a time-out
        apart; once may be said while the charge is still on its way."""
        sent_at = max(sends_of(self.attempts), default=self.created_at)
        missed = [at for at in misses_of(self.attempts) if at - sent_at >= policy.timeout]
        return bool(missed) and max(missed) - min(missed) >= policy.timeout

    def _after_not_found(self, asked: Asked, policy: Policy) -> Next | None:
        """Rule: "not found" counts only when asked long enough after the last send; then the charge may be repeated
        under the same key, while the provider is sure to remember it."""
        at = asked.ended_at
        sends = sends_of(self.attempts)
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
        if not self._is_as_asked(answer):
            return self._ask_later(at, policy, is_disputed=True)
        self._take(answer.reference, at)
        return None

    def _capture_late(self, answer: Captured, at: datetime, policy: Policy) -> Next | None:
        """Rule (protocols: payment): money that shows up after a no goes back; its order has failed long since."""
        self.is_void_requested = self.is_changed = True
        if not self._is_as_asked(answer):
            self._dispute()
            return None
        return self._capture(answer, at, policy)

    def _is_as_asked(self, answer: Captured) -> bool:
        return (answer.amount_minor, answer.currency) == (self.amount_minor, self.currency)

    def _take(self, reference: str, at: datetime) -> None:
        self._move(Status.CAPTURED)
        self.captured_minor = self.amount_minor
        self.provider_reference = reference
        self._settle()
        self._tell_captured()
        if self.is_void_requested:
            self._start_void(at)

    def _notice_capture(self, notice: Captured, at: datetime, policy: Policy) -> Noticed:
        if not self._is_as_asked(notice):
            return self._dispute()
        if self.status is Status.DECLINED:
            self._capture_late(notice, at, policy)
        elif self.status in UNDECIDED or (self.status is Status.VOIDED and not was_taken_back(self.attempts)):
            self._capture(notice, at, policy)
        elif self.status in (Status.CLOSED, Status.UNAVAILABLE):
            return self._dispute()  # nothing was ever sent
        else:
            return Noticed.KNOWN
        return Noticed.APPLIED

    def _dispute(self) -> Noticed:
        """What the provider says does not fit what we know: a person must look."""
        if not self.needs_operator:
            self.needs_operator = self.is_changed = True
            self._call_operator()
        return Noticed.DISPUTED

    def _decline(self, answer: Declined) -> None:
        if self.status is Status.VOIDED:
            return
        self._note_sent()
        self._move(Status.DECLINED)
        self.decline_code, self.decline_reason = answer
        self._settle()
        self._tell_declined()

    def _ask_later(
        self, at: datetime, policy: Policy, *, is_disputed: bool = False, was_asked: bool = True
    ) -> Next | None:
        """Rule: unknown is asked by our key on the schedule, then daily until an operator settles it.

        What never reached the provider was not asked: that step comes again, or an outage would use up the schedule.
        """
        step = self.unknown_steps if was_asked else max(self.unknown_steps - 1, 0)
        self.unknown_steps = step + 1
        is_over = step >= len(policy.unknown_schedule)
        wait = DAILY if is_over or is_disputed else policy.unknown_schedule[step]
        self.is_changed = True
        if self.status is Status.VOIDED:  # given back for all we know; asked for to the end of the schedule only
            return None if is_over else Next(Question.LOOK_UP, wait.total_seconds())
        was_unknown = self.status is Status.UNKNOWN
        if not was_unknown:
            self._move(Status.UNKNOWN)
        self.next_try_at = at + wait
        self.needs_operator = self.needs_operator or is_over or is_disputed
        if was_unknown and (is_over or is_disputed):
            self._call_operator()
        else:
            self._tell_unknown()
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
        if self.status not in _MAY_BE_VOIDED:
            return  # there was nothing to take back
        self._move(Status.VOIDED)
        self.captured_minor = 0
        self._settle()
        self.answer_again()

    def _start_void(self, at: datetime) -> None:
        if not self.is_voiding:
            self.is_voiding = True
            self._begin(Question.VOID, at)
            self.wanted_calls.append(Question.VOID)
