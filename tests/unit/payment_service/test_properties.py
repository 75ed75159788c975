"""Whatever is answered in whatever order: no payment breaks its table, or is charged when it must not be."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as some

from payment_service.domain import (
    Answer,
    Asked,
    Captured,
    Declined,
    ErrorAnswer,
    NotFound,
    NotSent,
    Payment,
    PaymentCaptured,
    PaymentVoided,
    Question,
    Refused,
    Status,
    TimedOut,
    Voided,
)
from tests.unit.payment_service.examples import NOON, POLICY, a_payment


@dataclass(frozen=True)
class Step:
    """What happens to a payment: a method of it, or an answer."""

    what: str
    question: Question = Question.CHARGE
    answer: Answer | None = None
    after: float = 0
    is_taken_over: bool = False


_ANSWERS = some.sampled_from(
    [
        Captured("ref-1", 510, "GBP"),
        Captured("ref-1", 511, "GBP"),
        Declined("card_declined", "The card was declined."),
        NotFound(),
        Voided("ref-1"),
        Refused("settled"),
        NotSent(),
        ErrorAnswer(),
        TimedOut(),
    ]
)
_ASKED = some.sampled_from([Question.CHARGE, Question.LOOK_UP, Question.VOID])
_STEPS = some.one_of(
    some.builds(Step, some.sampled_from(["give_up", "request_void", "begin_to_send", "take_its_time", "answer_again"])),
    some.builds(
        Step, some.just("take_answer"), _ASKED, _ANSWERS, some.sampled_from([0.0, 1.0, 60.0, 4e4]), some.booleans()
    ),
)


@given(some.lists(_STEPS, max_size=20))
@settings(max_examples=1_000)
def test_no_order_of_answers_and_wishes_breaks_a_payment(steps: list[Step]) -> None:
    payment = a_payment()
    at = NOON
    for step in steps:
        at += timedelta(seconds=step.after)
        before = payment.status
        if step.answer is not None:
            payment.take_answer(Asked(step.question, step.answer, at, at, step.is_taken_over), POLICY)
        elif step.what in ("request_void", "begin_to_send"):
            asked = getattr(payment, step.what)(at)
            assert asked is not Question.CHARGE or before in (Status.INTENT, Status.SENDING, Status.UNKNOWN)
            assert asked is not Question.CHARGE or not payment.is_void_requested
        else:
            getattr(payment, step.what)()
        _check(payment)


def _check(payment: Payment) -> None:
    assert payment.captured_minor == (510 if payment.status is Status.CAPTURED else 0)
    assert (payment.status is Status.UNKNOWN) == (payment.next_try_at is not None)
    kinds = [type(fact) for fact in payment.facts if isinstance(fact, PaymentCaptured | PaymentVoided)]
    if payment.status is Status.CAPTURED:
        assert kinds[-1] is PaymentCaptured
    if payment.status is Status.VOIDED:
        assert kinds[-1] is PaymentVoided
