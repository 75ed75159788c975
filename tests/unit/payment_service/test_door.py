"""One door: what is not sent is closed, what was sent goes on, and money of a cancelled order is taken back."""

import pytest

from payment_service.domain import (
    ErrorAnswer,
    Next,
    NotFound,
    NotSent,
    Payment,
    PaymentAttention,
    PaymentCaptured,
    PaymentClosed,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnavailable,
    PaymentUnknown,
    PaymentVoided,
    Question,
    Refused,
    Status,
    TimedOut,
    Voided,
)
from tests.unit.payment_service.examples import (
    CAPTURED,
    DECLINED,
    NOON,
    POLICY,
    a_captured_payment,
    a_payment,
    an_unknown_payment,
    asked,
    charged,
    looked_up,
    status_of,
    told,
)


def an_intent() -> Payment:
    payment = a_payment()
    payment.take_answer(charged(NotSent()), POLICY)
    payment.note_saved()
    return payment


def test_giving_up_before_any_request_leaves_a_closed_payment() -> None:
    payment = Payment.closed("order-1", "payment-1", NOON)

    assert payment.status is Status.CLOSED
    assert payment.is_changed
    assert payment.facts == [PaymentClosed("order-1")]
    assert payment.begin_to_send(NOON) is None


def test_giving_up_what_was_never_sent_closes_it() -> None:
    payment = an_intent()

    payment.give_up()

    assert payment.status is Status.CLOSED
    assert told(payment) == [PaymentClosed]
    assert payment.begin_to_send(NOON) is None


def test_giving_up_what_is_being_sent_finds_the_door_open() -> None:
    payment = a_payment()

    payment.give_up()

    assert payment.status is Status.SENDING
    assert not payment.is_changed
    assert told(payment) == [PaymentStarted]


@pytest.mark.parametrize(
    ("payment", "fact"),
    [
        (a_payment(), PaymentStarted),
        (a_captured_payment(), PaymentCaptured),
        (an_unknown_payment(), PaymentUnknown),
        (Payment.closed("order-1", "payment-1", NOON), PaymentClosed),
    ],
)
def test_who_asks_again_is_told_again_how_it_stands(payment: Payment, fact: type[object]) -> None:
    payment.note_saved()

    payment.answer_again()

    assert [type(each) for each in payment.facts] == [fact]
    assert not payment.is_changed


def test_who_asks_again_after_the_end_is_told_the_end() -> None:
    declined, unavailable, voided = a_payment(), a_payment(), a_captured_payment()
    declined.take_answer(charged(DECLINED), POLICY)
    unavailable.take_answer(charged(NotSent(), at=600), POLICY)
    voided.request_void(NOON)
    voided.take_answer(asked(Question.VOID, Voided("ref-1")), POLICY)
    ended = {PaymentDeclined: declined, PaymentUnavailable: unavailable, PaymentVoided: voided}

    for fact, payment in ended.items():
        payment.facts.clear()
        payment.answer_again()
        assert told(payment) == [fact]


def test_captured_money_is_taken_back_once() -> None:
    payment = a_captured_payment()

    payment.request_void(NOON)
    payment.request_void(NOON)
    assert payment.wanted_calls == [Question.VOID]
    assert payment.take_answer(asked(Question.VOID, Voided("ref-1")), POLICY) is None

    assert payment.status is Status.VOIDED
    assert payment.captured_minor == 0
    assert told(payment) == [PaymentVoided]


def test_a_void_that_comes_before_the_answer_waits_for_it() -> None:
    payment = a_payment()

    payment.request_void(NOON)
    assert payment.wanted_calls == []
    payment.take_answer(charged(CAPTURED), POLICY)

    assert payment.wanted_calls == [Question.VOID]
    assert told(payment) == [PaymentCaptured]


def test_a_void_of_what_was_declined_has_nothing_to_take_back() -> None:
    payment = a_payment()
    payment.request_void(NOON)

    assert payment.take_answer(charged(DECLINED), POLICY) is None

    assert payment.status is Status.DECLINED
    assert told(payment) == [PaymentDeclined]
    payment.request_void(NOON)
    assert told(payment) == [PaymentDeclined]
    assert payment.wanted_calls == []


def test_a_void_of_what_was_never_sent_closes_it() -> None:
    waiting, sending = an_intent(), a_payment()

    waiting.request_void(NOON)
    sending.request_void(NOON)
    sending.take_answer(charged(NotSent()), POLICY)

    assert told(waiting) == told(sending) == [PaymentClosed]
    assert waiting.status is sending.status is Status.CLOSED


def test_a_charge_to_be_voided_is_not_repeated_after_an_error_but_asked_for_and_voided() -> None:
    payment = a_payment()
    payment.request_void(NOON)

    following = payment.take_answer(charged(ErrorAnswer("500")), POLICY)

    assert following == Next(Question.LOOK_UP, 5)
    assert payment.status is Status.UNKNOWN
    assert payment.wanted_calls == [Question.VOID]


def test_a_void_between_an_error_and_the_next_try_turns_that_into_a_question() -> None:
    payment = a_payment()
    payment.take_answer(charged(ErrorAnswer("500")), POLICY)

    payment.request_void(NOON)

    assert payment.begin_to_send(NOON) is Question.LOOK_UP
    payment.take_answer(looked_up(NotFound(), at=60), POLICY)
    assert payment.status is Status.UNKNOWN
    assert payment.wanted_calls == [Question.VOID]


def test_an_unknown_charge_to_be_voided_is_never_sent_again() -> None:
    payment = an_unknown_payment()
    payment.request_void(NOON)

    following = payment.take_answer(looked_up(NotFound(), at=15), POLICY)

    assert following == Next(Question.LOOK_UP, 30)
    assert payment.begin_to_send(NOON) is Question.LOOK_UP


def test_a_void_that_finds_nothing_ends_the_cancel_and_money_found_later_is_given_back() -> None:
    payment = an_unknown_payment()
    payment.request_void(NOON)
    assert payment.take_answer(asked(Question.VOID, NotFound(), at=12), POLICY) is None
    assert payment.status is Status.VOIDED
    assert told(payment) == [PaymentVoided]
    payment.note_saved()

    assert payment.take_answer(looked_up(NotFound(), at=15), POLICY) == Next(Question.LOOK_UP, 30)
    assert payment.take_answer(looked_up(CAPTURED, at=45), POLICY) is None
    assert payment.wanted_calls == [Question.VOID]
    payment.take_answer(asked(Question.VOID, Voided("ref-1"), at=46), POLICY)

    assert payment.status is Status.VOIDED
    assert told(payment) == [PaymentCaptured, PaymentVoided]


def test_a_voided_payment_is_asked_for_to_the_end_of_its_schedule_and_no_longer() -> None:
    payment = an_unknown_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, NotFound(), at=12), POLICY)

    following = [payment.take_answer(looked_up(NotFound(), at=at), POLICY) for at in (15, 45, 345)]

    assert following == [Next(Question.LOOK_UP, 30), Next(Question.LOOK_UP, 300), None]
    assert told(payment) == [PaymentVoided]


def test_a_look_up_that_finds_the_money_voided_ends_it() -> None:
    payment = an_unknown_payment()
    payment.request_void(NOON)

    assert payment.take_answer(looked_up(Voided("ref-1"), at=15), POLICY) is None

    assert told(payment) == [PaymentVoided]
    assert payment.take_answer(asked(Question.VOID, Voided("ref-1"), at=16), POLICY) is None
    assert told(payment) == []


def test_a_void_that_fails_is_said_again_and_shown_when_it_keeps_failing() -> None:
    payment = a_captured_payment()
    payment.request_void(NOON)

    following = [payment.take_answer(asked(Question.VOID, ErrorAnswer("500")), POLICY) for _ in range(4)]

    assert [each.question for each in following if each] == [Question.VOID] * 4
    assert [each.after for each in following if each] == [0.2, 0.4, 5, 30]
    assert told(payment) == [PaymentAttention, PaymentAttention]


def test_a_void_that_the_provider_refuses_is_shown_at_once_and_said_again_on_the_schedule() -> None:
    payment = a_captured_payment()
    payment.request_void(NOON)

    following = payment.take_answer(asked(Question.VOID, Refused("settled")), POLICY)

    assert following == Next(Question.VOID, 5)
    assert payment.status is Status.CAPTURED
    assert told(payment) == [PaymentAttention]


def a_payment_whose_void_gets_no_answer() -> Payment:
    payment = an_unknown_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, TimedOut(), at=10, took=10), POLICY)
    told(payment)
    return payment


def test_once_not_found_does_not_end_a_cancel_whose_void_got_no_answer() -> None:
    """The charge may still be on its way: the next question finds it, and the money goes back."""
    payment = a_payment_whose_void_gets_no_answer()

    payment.take_answer(looked_up(NotFound(), at=21), POLICY)
    assert payment.status is Status.UNKNOWN
    payment.take_answer(looked_up(CAPTURED, at=25), POLICY)

    assert told(payment) == [PaymentUnknown, PaymentCaptured]
    assert payment.is_voiding


def test_twice_not_found_a_timeout_apart_ends_a_cancel_whose_void_got_no_answer() -> None:
    payment = a_payment_whose_void_gets_no_answer()

    payment.take_answer(looked_up(NotFound(), at=21), POLICY)
    payment.take_answer(looked_up(NotFound(), at=30), POLICY)
    assert payment.status is Status.UNKNOWN
    following = payment.take_answer(looked_up(NotFound(), at=31), POLICY)

    assert status_of(payment) is Status.VOIDED
    assert following is None  # its schedule of three steps is over
    assert told(payment)[-1] is PaymentVoided


def test_what_was_not_found_before_the_charge_could_be_there_does_not_count_towards_the_end_of_a_cancel() -> None:
    payment = a_payment_whose_void_gets_no_answer()

    payment.take_answer(looked_up(NotFound(), at=5), POLICY)
    payment.take_answer(looked_up(NotFound(), at=16), POLICY)

    assert payment.status is Status.UNKNOWN


def test_a_payment_that_was_twice_not_found_stays_on_its_schedule_and_late_money_goes_back() -> None:
    payment = a_payment_whose_void_gets_no_answer()
    payment.take_answer(looked_up(NotFound(), at=21), POLICY)
    assert payment.take_answer(looked_up(NotFound(), at=31), POLICY) == Next(Question.LOOK_UP, 300)
    assert payment.take_answer(asked(Question.VOID, TimedOut(), at=32), POLICY) is None
    payment.note_saved()

    assert payment.take_answer(looked_up(CAPTURED, at=331), POLICY) is None

    assert payment.wanted_calls == [Question.VOID]
    assert told(payment) == [PaymentCaptured]
