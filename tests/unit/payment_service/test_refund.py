"""What each answer of the provider makes of a refund; and that it is never more than was captured."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_service.domain import (
    Answer,
    Asked,
    Attention,
    ErrorAnswer,
    Next,
    NotFound,
    NotSent,
    Payment,
    PaymentNotSettleable,
    PaymentUndecided,
    Question,
    Refund,
    RefundDelayed,
    Refunded,
    RefundFailed,
    RefundStatus,
    RefundSucceeded,
    Refused,
    Settlement,
    Status,
    TimedOut,
)
from payment_service.domain.policy import DAILY
from tests.unit.payment_service.examples import (
    NOON,
    POLICY,
    a_captured_payment,
    a_payment,
    asked,
    status_of,
    told,
)

REFUSED = Refused("The card is closed.")


def a_refund(amount_minor: int = 200, payment: Payment | None = None) -> Refund:
    return Refund.requested(payment or a_captured_payment(), [], "refund-1", (amount_minor, "GBP"), NOON)


def sent(answer: Answer, *, at: float = 0) -> Asked:
    return asked(Question.REFUND, answer, at=at)


def looked_up(answer: Answer, *, at: float, is_taken_over: bool = False) -> Asked:
    return asked(Question.REFUND_LOOK_UP, answer, at=at, is_taken_over=is_taken_over)


def refunded(amount_minor: int = 200, currency: str = "GBP") -> Refunded:
    return Refunded("ref-2", amount_minor, currency)


def test_money_that_went_back_is_told_and_booked() -> None:
    refund = a_refund(200)

    assert refund.wants_call
    assert refund.take_answer(sent(refunded()), POLICY) is None

    assert refund.status is RefundStatus.SUCCEEDED
    assert (refund.payment.refunded_minor, status_of(refund.payment)) == (200, Status.PARTIALLY_REFUNDED)
    assert told(refund.payment) == [RefundSucceeded]
    assert (refund.payment.attempts[-1].kind, refund.payment.attempts[-1].outcome) == (Question.REFUND, "refunded")


def test_all_of_it_in_two_parts_makes_a_refunded_payment() -> None:
    payment = a_captured_payment()
    first = a_refund(200, payment)
    first.take_answer(sent(refunded(200)), POLICY)
    rest = Refund.requested(payment, [first], "refund-2", (310, "GBP"), NOON)
    rest.take_answer(sent(refunded(310)), POLICY)
    assert (payment.refunded_minor, status_of(payment)) == (510, Status.REFUNDED)


@pytest.mark.parametrize("amount", [(511, "GBP"), (0, "GBP"), (-1, "GBP"), (100, "EUR")])
def test_what_the_payment_does_not_have_fails_without_a_call(amount: tuple[int, str]) -> None:
    refund = Refund.requested(a_captured_payment(), [], "refund-1", amount, NOON)

    assert (refund.status, refund.wants_call) == (RefundStatus.FAILED, False)
    assert told(refund.payment) == [RefundFailed]


def test_what_is_under_way_counts_as_given_back() -> None:
    payment = a_captured_payment()
    first = a_refund(300, payment)

    second = Refund.requested(payment, [first], "refund-2", (300, "GBP"), NOON)

    assert second.status is RefundStatus.FAILED


def test_money_that_is_not_known_to_be_there_waits() -> None:
    with pytest.raises(PaymentUndecided):
        a_refund(payment=a_payment())


def test_a_timeout_is_unknown_and_asked_for_by_its_key() -> None:
    refund = a_refund()

    assert refund.take_answer(sent(TimedOut("")), POLICY) == Next(Question.REFUND_LOOK_UP, 5.0)

    [fact] = refund.payment.facts
    assert isinstance(fact, RefundDelayed)
    assert fact.attention is Attention.PAYMENT_UNKNOWN
    assert refund.take_answer(looked_up(refunded(), at=20), POLICY) is None
    assert refund.payment.refunded_minor == 200


def test_not_found_counts_only_long_enough_after_the_last_send() -> None:
    """Sent again at once, both sends could arrive; the key protects only where the provider honours it."""
    refund = a_refund()
    refund.take_answer(sent(TimedOut("")), POLICY)

    assert refund.take_answer(looked_up(NotFound(), at=5), POLICY) == Next(Question.REFUND_LOOK_UP, 30.0)
    assert refund.take_answer(looked_up(NotFound(), at=35), POLICY) == Next(Question.REFUND, 0.0)


def test_who_takes_over_after_a_death_asks_first_and_then_sends() -> None:
    refund = a_refund()

    assert refund.take_answer(looked_up(NotFound(), at=60, is_taken_over=True), POLICY) == Next(Question.REFUND, 0.0)


def test_a_key_that_is_too_old_is_only_asked_for() -> None:
    refund = a_refund()
    refund.take_answer(sent(TimedOut("")), POLICY)

    following = refund.take_answer(looked_up(NotFound(), at=80_000), POLICY)

    assert following == Next(Question.REFUND_LOOK_UP, 30.0)


def test_errors_are_tried_again_under_the_key_and_then_unknown() -> None:
    refund = a_refund()

    following = [refund.take_answer(sent(ErrorAnswer("")), POLICY) for _ in range(3)]

    assert [each.question for each in following if each] == [
        Question.REFUND,
        Question.REFUND,
        Question.REFUND_LOOK_UP,
    ]
    assert refund.status is RefundStatus.UNKNOWN


def test_a_refusal_is_tried_on_the_schedule_and_then_an_operators() -> None:
    refund = a_refund()

    following = [refund.take_answer(sent(REFUSED), POLICY) for _ in range(4)]

    assert following == [
        Next(Question.REFUND, 5.0),
        Next(Question.REFUND, 30.0),
        Next(Question.REFUND, 300.0),
        None,
    ]
    assert told(refund.payment) == [RefundDelayed, RefundDelayed, RefundDelayed, RefundFailed]
    assert (refund.status, refund.reason) == (RefundStatus.FAILED, "The card is closed.")


def test_what_never_reached_the_provider_is_sent_until_it_does() -> None:
    refund = a_refund()

    following = [refund.take_answer(sent(NotSent("")), POLICY) for _ in range(20)]

    assert all(each is not None and each.question is Question.REFUND for each in following)
    assert following[-1] == Next(Question.REFUND, 300.0)
    assert refund.take_answer(sent(refunded()), POLICY) is None


def test_what_was_never_sent_uses_up_nothing_of_the_schedule() -> None:
    refund = a_refund()
    refund.take_answer(sent(TimedOut()), POLICY)

    following = [refund.take_answer(looked_up(NotSent("connection refused"), at=at), POLICY) for at in range(5, 500, 5)]

    assert set(following) == {Next(Question.REFUND_LOOK_UP, 5.0)}
    assert refund.attention is Attention.PAYMENT_UNKNOWN


def test_after_the_schedule_it_is_asked_for_daily_for_an_operator() -> None:
    refund = a_refund()
    refund.take_answer(sent(TimedOut("")), POLICY)

    for at in (5, 35, 335):
        following = refund.take_answer(looked_up(TimedOut(""), at=at), POLICY)

    assert following == Next(Question.REFUND_LOOK_UP, DAILY.total_seconds())
    assert refund.attention is Attention.PAYMENT_OPERATOR


@pytest.mark.parametrize("answer", [refunded(199), refunded(200, "EUR")])
def test_another_amount_or_currency_than_asked_is_not_booked(answer: Refunded) -> None:
    refund = a_refund()

    refund.take_answer(sent(answer), POLICY)

    assert (refund.attention, refund.payment.refunded_minor) == (Attention.PAYMENT_OPERATOR, 0)


def test_an_answer_that_comes_twice_is_booked_once() -> None:
    refund = a_refund()
    refund.take_answer(sent(refunded()), POLICY)

    refund.take_answer(looked_up(refunded(), at=60, is_taken_over=True), POLICY)

    assert refund.payment.refunded_minor == 200
    assert told(refund.payment) == [RefundSucceeded]


def test_asked_again_it_tells_what_became_of_it() -> None:
    refund = a_refund()
    refund.answer_again()
    assert told(refund.payment) == [], "it is being sent"
    refund.take_answer(sent(TimedOut("")), POLICY)
    refund.answer_again()
    refund.take_answer(sent(refunded()), POLICY)
    refund.answer_again()
    assert told(refund.payment) == [RefundDelayed, RefundDelayed, RefundSucceeded, RefundSucceeded]


_ANSWERS = st.sampled_from([refunded(), REFUSED, NotSent(""), ErrorAnswer(""), TimedOut(""), NotFound()])


@given(st.lists(st.tuples(st.integers(0, 3), _ANSWERS, st.booleans()), max_size=40), st.lists(st.integers(1, 400)))
def test_whatever_is_answered_never_more_is_given_back_than_was_captured(
    answers: list[tuple[int, Answer, bool]], amounts: list[int]
) -> None:
    payment, refunds = a_captured_payment(), list[Refund]()
    for place, amount in enumerate(amounts[:4]):
        refunds.append(Refund.requested(payment, refunds, f"refund-{place}", (amount, "GBP"), NOON))
    for at, (which, answer, is_taken_over) in enumerate(answers):
        if which >= len(refunds):
            continue
        refund = refunds[which]
        answer = refunded(refund.amount_minor) if isinstance(answer, Refunded) else answer
        question = Question.REFUND_LOOK_UP if isinstance(answer, NotFound) else Question.REFUND
        moment = NOON + timedelta(seconds=at)
        refund.take_answer(Asked(question, answer, moment, moment, is_taken_over), POLICY)

    assert payment.refunded_minor == sum(e.amount_minor for e in refunds if e.status is RefundStatus.SUCCEEDED)
    assert payment.refunded_minor <= payment.captured_minor


def a_refund_of_which_nobody_knows() -> Refund:
    refund = a_refund()
    for at in (0, 5, 35, 335):
        refund.take_answer(looked_up(TimedOut(), at=at), POLICY)
    refund.payment.facts.clear()
    return refund


def test_an_operators_word_ends_a_refund_that_nobody_tells_of_and_books_what_went_back() -> None:
    refund = a_refund_of_which_nobody_knows()

    refund.settle(Settlement.GIVEN_BACK)

    assert refund.status is RefundStatus.SUCCEEDED
    assert (refund.payment.refunded_minor, refund.payment.status) == (200, Status.PARTIALLY_REFUNDED)
    assert told(refund.payment) == [RefundSucceeded]
    assert refund.take_answer(looked_up(refunded(), at=400), POLICY) is None
    assert refund.payment.refunded_minor == 200


def test_an_operators_word_ends_a_refund_that_the_provider_refuses_and_its_money_is_free_again() -> None:
    refund = a_refund(510)
    refund.take_answer(sent(REFUSED), POLICY)
    refund.payment.facts.clear()

    refund.settle(Settlement.NOT_GIVEN_BACK)

    assert refund.status is RefundStatus.FAILED
    assert told(refund.payment) == [RefundFailed]
    again = Refund.requested(refund.payment, [refund], "refund-2", (510, "GBP"), NOON)
    assert again.status is RefundStatus.SENDING


@pytest.mark.parametrize("settlement", [Settlement.CAPTURED, Settlement.NOT_CAPTURED])
def test_a_refund_is_not_settled_by_a_word_about_the_charge(settlement: Settlement) -> None:
    refund = a_refund_of_which_nobody_knows()

    with pytest.raises(PaymentNotSettleable):
        refund.settle(settlement)


def test_a_refund_that_waits_for_nobody_is_not_settled() -> None:
    ended = a_refund()
    ended.take_answer(sent(refunded()), POLICY)

    for refund in (a_refund(), ended):
        with pytest.raises(PaymentNotSettleable):
            refund.settle(Settlement.GIVEN_BACK)
