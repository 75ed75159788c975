"""Payments and answers as the tests of this room need them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from payment_service.domain import Answer, Asked, Captured, Declined, Fact, Payment, Policy, Question, Status, TimedOut

NOON: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESERVED_UNTIL: Final = NOON + timedelta(minutes=10)
POLICY: Final = Policy(
    timeout=timedelta(seconds=10),
    attempts=3,
    key_age=timedelta(seconds=72_000),
    unknown_schedule=tuple(timedelta(seconds=each) for each in (5, 30, 300)),
)
CAPTURED: Final = Captured("ref-1", 510, "GBP")
DECLINED: Final = Declined("card_declined", "The card was declined.")


def a_payment() -> Payment:
    """A payment whose intent is committed and whose charge is about to be sent."""
    payment = Payment.requested("order-1", "payment-1", (510, "GBP"), "sim_ok", RESERVED_UNTIL, NOON)
    payment.note_saved()
    return payment


def asked(
    question: Question, answer: Answer, *, at: float = 0, took: float = 0.1, is_taken_over: bool = False
) -> Asked:
    """A question asked `at` seconds after noon."""
    started = NOON + timedelta(seconds=at)
    return Asked(question, answer, started, started + timedelta(seconds=took), is_taken_over)


def charged(answer: Answer, *, at: float = 0, took: float = 0.1) -> Asked:
    """A charge that was sent."""
    return asked(Question.CHARGE, answer, at=at, took=took)


def looked_up(answer: Answer, *, at: float, is_taken_over: bool = False) -> Asked:
    """A question by our key."""
    return asked(Question.LOOK_UP, answer, at=at, is_taken_over=is_taken_over)


def told(payment: Payment) -> Sequence[type[Fact]]:
    """The kinds of facts that a payment has told since it was saved, oldest first; they are taken from it."""
    kinds = [type(fact) for fact in payment.facts]
    payment.facts.clear()
    return kinds


def a_captured_payment() -> Payment:
    """A payment whose money was taken."""
    payment = a_payment()
    payment.take_answer(charged(CAPTURED), POLICY)
    payment.note_saved()
    return payment


def an_unknown_payment() -> Payment:
    """A payment whose charge was sent, and not answered in time."""
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)
    payment.note_saved()
    return payment


def status_of(payment: Payment) -> Status:
    """Where a payment stands; a call, because a type checker believes an attribute that it has seen compared."""
    return payment.status
