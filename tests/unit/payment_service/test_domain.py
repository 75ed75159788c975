"""What becomes of a payment: the charge, its answers, and the ways in which there is none."""

from datetime import timedelta

import pytest

from payment_service.domain import (
    NEXT_STATUSES,
    Captured,
    ErrorAnswer,
    IllegalTransition,
    Next,
    NotFound,
    NotSent,
    PaymentAttention,
    PaymentCaptured,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnavailable,
    PaymentUnknown,
    Question,
    Status,
    TimedOut,
)
from tests.unit.payment_service.examples import (
    CAPTURED,
    DECLINED,
    NOON,
    POLICY,
    RESERVED_UNTIL,
    a_captured_payment,
    a_payment,
    charged,
    looked_up,
    status_of,
    told,
)


def test_a_captured_charge_tells_how_much_was_taken_since_when() -> None:
    payment = a_payment()

    assert payment.take_answer(charged(CAPTURED), POLICY) is None

    assert status_of(payment) is Status.CAPTURED
    assert payment.facts == [PaymentCaptured("order-1", "payment-1", 510, "GBP", "ref-1", NOON)]
    assert [(each.kind, each.outcome) for each in payment.attempts] == [(Question.CHARGE, "captured")]


def test_a_decline_is_final() -> None:
    payment = a_payment()

    assert payment.take_answer(charged(DECLINED), POLICY) is None

    assert status_of(payment) is Status.DECLINED
    assert payment.facts == [PaymentDeclined("order-1", "payment-1", "card_declined", "The card was declined.", NOON)]
    assert payment.begin_to_send(NOON) is None


def test_error_answers_are_tried_again_under_the_same_key_and_told_as_started_once() -> None:
    payment = a_payment()

    first = payment.take_answer(charged(ErrorAnswer("500")), POLICY)
    assert payment.begin_to_send(NOON) is Question.CHARGE
    second = payment.take_answer(charged(ErrorAnswer("500")), POLICY)

    assert first is not None
    assert second is not None
    assert first.question is second.question is Question.CHARGE
    assert 0 < first.after < second.after
    assert status_of(payment) is Status.SENDING
    assert told(payment) == [PaymentStarted]


def test_after_as_many_errors_as_are_borne_nobody_can_say() -> None:
    payment = a_payment()
    for _ in range(2):
        payment.take_answer(charged(ErrorAnswer("500")), POLICY)
        payment.begin_to_send(NOON)
    told(payment)

    following = payment.take_answer(charged(ErrorAnswer("500"), took=0), POLICY)

    assert following == Next(Question.LOOK_UP, 5)
    assert status_of(payment) is Status.UNKNOWN
    assert payment.facts == [PaymentUnknown("order-1", "payment-1", NOON + timedelta(seconds=5), NOON)]


def test_a_timeout_after_sending_is_unknown_at_once() -> None:
    payment = a_payment()

    following = payment.take_answer(charged(TimedOut(), took=10), POLICY)

    assert following == Next(Question.LOOK_UP, 5)
    assert status_of(payment) is Status.UNKNOWN
    assert payment.next_try_at == NOON + timedelta(seconds=15)
    assert told(payment) == [PaymentUnknown]


def test_what_was_not_sent_is_an_intent_again_and_sent_later() -> None:
    payment = a_payment()

    following = payment.take_answer(charged(NotSent("refused")), POLICY)

    assert status_of(payment) is Status.INTENT
    assert following is not None
    assert following.question is Question.CHARGE
    assert payment.begin_to_send(NOON) is Question.CHARGE
    assert status_of(payment) is Status.SENDING
    assert told(payment) == []


def test_the_pause_grows_while_it_cannot_be_sent_and_never_goes_past_the_reservation() -> None:
    payment = a_payment()
    pauses = []
    for at in (0, 1, 3, 7, 599):
        following = payment.take_answer(charged(NotSent(), at=at, took=0), POLICY)
        assert following is not None
        pauses.append(following.after)
        payment.begin_to_send(NOON)

    assert pauses == [0.5, 1, 2, 4, 1]


def test_what_could_not_be_sent_until_the_reservation_was_over_is_unavailable() -> None:
    payment = a_payment()

    following = payment.take_answer(charged(NotSent(), at=600), POLICY)

    assert following is None
    assert status_of(payment) is Status.UNAVAILABLE
    assert payment.facts == [PaymentUnavailable("order-1", "payment-1", NOON)]


def test_what_met_an_error_before_it_could_not_be_sent_is_unknown_never_unavailable() -> None:
    payment = a_payment()
    payment.take_answer(charged(ErrorAnswer("500")), POLICY)
    payment.begin_to_send(NOON)

    again = payment.take_answer(charged(NotSent(), at=1), POLICY)
    assert again is not None
    assert again.question is Question.CHARGE
    assert status_of(payment) is Status.SENDING
    payment.begin_to_send(NOON)
    following = payment.take_answer(charged(NotSent(), at=601), POLICY)

    assert following == Next(Question.LOOK_UP, 5)
    assert status_of(payment) is Status.UNKNOWN


def test_a_caller_that_died_is_followed_by_a_question_and_its_charge_was_found() -> None:
    payment = a_payment()

    assert payment.take_answer(looked_up(CAPTURED, at=30, is_taken_over=True), POLICY) is None

    assert status_of(payment) is Status.CAPTURED
    assert [(each.kind, each.outcome) for each in payment.attempts] == [
        (Question.CHARGE, "lost"),
        (Question.LOOK_UP, "captured"),
    ]


def test_a_caller_that_died_is_followed_by_a_charge_only_when_the_provider_knows_of_none() -> None:
    payment = a_payment()

    following = payment.take_answer(looked_up(NotFound(), at=30, is_taken_over=True), POLICY)

    assert following == Next(Question.CHARGE, 0)
    assert status_of(payment) is Status.SENDING
    assert payment.begin_to_send(NOON) is Question.CHARGE


def test_a_caller_that_died_before_a_provider_that_does_not_answer_leaves_it_unknown() -> None:
    payment = a_payment()

    following = payment.take_answer(looked_up(NotSent(), at=30, is_taken_over=True), POLICY)

    assert following == Next(Question.LOOK_UP, 5)
    assert status_of(payment) is Status.UNKNOWN


def test_not_found_does_not_count_before_the_timeout_after_the_last_send_is_over() -> None:
    payment = a_payment()
    for _ in range(3):
        payment.take_answer(charged(ErrorAnswer()), POLICY)
        payment.begin_to_send(NOON)

    following = payment.take_answer(looked_up(NotFound(), at=9.9), POLICY)

    assert following == Next(Question.LOOK_UP, 30)
    assert status_of(payment) is Status.UNKNOWN


def test_an_unknown_charge_is_sent_again_under_its_key_after_a_not_found_that_counts() -> None:
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)

    following = payment.take_answer(looked_up(NotFound(), at=15), POLICY)

    assert following == Next(Question.CHARGE, 0)
    assert payment.begin_to_send(NOON) is Question.CHARGE
    assert payment.take_answer(charged(CAPTURED, at=15), POLICY) is None
    assert status_of(payment) is Status.CAPTURED
    assert told(payment) == [PaymentUnknown, PaymentCaptured]
    assert payment.next_try_at is None


def test_a_charge_whose_key_may_be_forgotten_is_only_asked_for() -> None:
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)

    following = payment.take_answer(looked_up(NotFound(), at=72_000), POLICY)

    assert following == Next(Question.LOOK_UP, 30)


def test_after_the_last_step_of_the_schedule_an_operator_is_called_and_it_is_asked_daily() -> None:
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)
    pauses = []
    for at in (72_000, 72_030, 72_330, 158_730):
        following = payment.take_answer(looked_up(NotFound(), at=at), POLICY)
        assert following is not None
        pauses.append(following.after)

    assert pauses == [30, 300, 86_400, 86_400]
    assert told(payment) == [PaymentUnknown, PaymentUnknown, PaymentUnknown, PaymentAttention, PaymentAttention]


def test_what_was_never_sent_uses_up_nothing_of_the_schedule() -> None:
    """The provider is away for longer than the whole schedule: counted as asked, every one would be an operator's."""
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)
    payment.take_answer(looked_up(TimedOut(), at=15), POLICY)

    pauses = []
    for at in range(50, 5_000, 50):
        following = payment.take_answer(looked_up(NotSent("connection refused"), at=at), POLICY)
        assert following is not None
        pauses.append(following.after)

    assert set(pauses) == {30}
    assert not payment.needs_operator
    payment.take_answer(looked_up(CAPTURED, at=6_000), POLICY)
    assert status_of(payment) is Status.CAPTURED


def test_another_amount_than_asked_is_not_applied_but_shown_to_an_operator() -> None:
    payment = a_payment()

    following = payment.take_answer(charged(Captured("ref-1", 5_100, "GBP")), POLICY)

    assert following is not None
    assert status_of(payment) is Status.UNKNOWN
    assert payment.captured_minor == 0
    assert told(payment) == [PaymentUnknown, PaymentAttention]


def test_an_answer_that_comes_twice_is_told_once() -> None:
    payment = a_captured_payment()

    assert payment.take_answer(looked_up(CAPTURED, at=40, is_taken_over=True), POLICY) is None
    assert payment.take_answer(charged(TimedOut(), at=40), POLICY) is None

    assert status_of(payment) is Status.CAPTURED
    assert told(payment) == []


def test_a_caller_that_died_before_it_began_to_send_is_followed_by_a_charge() -> None:
    for answer in (NotFound(), TimedOut(), NotSent(), ErrorAnswer()):
        payment = a_payment()
        payment.take_answer(charged(NotSent()), POLICY)

        following = payment.take_answer(looked_up(answer, at=30, is_taken_over=True), POLICY)

        assert following == Next(Question.CHARGE, 0)
        assert status_of(payment) is Status.INTENT


def test_two_callers_of_one_charge_leave_what_is_true_however_late_the_slower_one_answers() -> None:
    payment = a_payment()
    payment.take_answer(charged(NotSent()), POLICY)

    assert payment.take_answer(charged(NotSent(), at=1), POLICY) is not None
    assert status_of(payment) is Status.INTENT
    assert payment.take_answer(charged(TimedOut(), took=10), POLICY) == Next(Question.LOOK_UP, 5)

    assert status_of(payment) is Status.UNKNOWN


def test_a_slow_answer_is_told_as_started_once_and_never_after_the_answer() -> None:
    payment = a_payment()

    payment.take_its_time()
    payment.take_its_time()
    assert told(payment) == [PaymentStarted]
    payment.take_answer(charged(CAPTURED), POLICY)
    payment.take_its_time()

    assert told(payment) == [PaymentCaptured]


def test_a_year_of_daily_questions_leaves_the_first_attempt_and_a_bounded_number_of_others() -> None:
    payment = a_payment()
    payment.take_answer(charged(TimedOut(), took=10), POLICY)
    for day in range(365):
        payment.take_answer(looked_up(NotFound(), at=72_000 + day * 86_400), POLICY)

    assert len(payment.attempts) == 100
    assert payment.attempts[0].outcome == "timeout"


@pytest.mark.parametrize(("before", "after"), [(a, b) for a in Status for b in Status if b not in NEXT_STATUSES[a]])
def test_a_step_that_is_not_in_the_table_is_refused(before: Status, after: Status) -> None:
    payment = a_payment()
    payment.status = before

    with pytest.raises(IllegalTransition):
        payment._move(after)

    assert payment.status is before


def test_every_status_has_its_row_in_the_table_and_only_final_ones_have_no_way_out() -> None:
    assert set(NEXT_STATUSES) == set(Status)
    assert {status for status, following in NEXT_STATUSES.items() if not following} == {
        Status.UNAVAILABLE,
        Status.CLOSED,
        Status.REFUNDED,
    }


def test_the_reservation_ends_when_it_was_said_to() -> None:
    assert a_payment().reserved_until == RESERVED_UNTIL
