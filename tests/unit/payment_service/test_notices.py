"""What a provider says unasked: believed once, and only when it is what was asked for."""

from collections.abc import Callable

import pytest

from payment_service.domain import (
    Attention,
    Captured,
    Declined,
    NotFound,
    Noticed,
    NotSent,
    Payment,
    PaymentAttention,
    PaymentCaptured,
    PaymentDeclined,
    PaymentUnknown,
    PaymentVoided,
    Question,
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


def notice(payment: Payment, said: Captured | Declined | Voided) -> Noticed:
    return payment.take_notice(said, NOON, POLICY)


@pytest.mark.parametrize("make", [a_payment, an_unknown_payment])
def test_a_callback_that_is_quicker_than_the_answer_wins_and_the_answer_changes_nothing(
    make: Callable[[], Payment],
) -> None:
    payment = make()

    assert notice(payment, CAPTURED) is Noticed.APPLIED
    assert payment.take_answer(charged(TimedOut(), took=10), POLICY) is None
    assert payment.take_answer(looked_up(CAPTURED, at=15), POLICY) is None

    assert status_of(payment) is Status.CAPTURED
    assert told(payment) == [PaymentCaptured]


def test_a_callback_that_is_slower_than_the_answer_or_comes_twice_changes_nothing() -> None:
    payment = a_captured_payment()

    assert [notice(payment, CAPTURED) for _ in range(2)] == [Noticed.KNOWN] * 2

    assert not payment.is_changed
    assert told(payment) == []


def test_a_decline_that_comes_as_a_callback_is_final() -> None:
    payment = an_unknown_payment()

    assert notice(payment, DECLINED) is Noticed.APPLIED
    assert notice(payment, DECLINED) is Noticed.KNOWN

    assert status_of(payment) is Status.DECLINED
    assert told(payment) == [PaymentDeclined]


@pytest.mark.parametrize("said", [Captured("ref-1", 5_100, "GBP"), Captured("ref-1", 510, "EUR")])
@pytest.mark.parametrize("make", [a_payment, an_unknown_payment, a_captured_payment])
def test_another_amount_or_currency_than_asked_is_not_applied_but_shown_once(
    make: Callable[[], Payment], said: Captured
) -> None:
    payment = make()
    before = payment.status

    assert [notice(payment, said) for _ in range(2)] == [Noticed.DISPUTED] * 2

    assert payment.status is before
    assert [type(fact) for fact in payment.facts] == [PaymentAttention]
    assert payment.facts[0] == PaymentAttention("order-1", Attention.PAYMENT_OPERATOR, payment.next_try_at)


def test_who_asks_again_about_a_payment_in_dispute_hears_that_an_operator_is_needed() -> None:
    payment = an_unknown_payment()
    notice(payment, Captured("ref-1", 5_100, "GBP"))
    told(payment)

    payment.answer_again()

    assert told(payment) == [PaymentUnknown, PaymentAttention]


def test_the_right_amount_ends_a_dispute() -> None:
    payment = an_unknown_payment()
    notice(payment, Captured("ref-1", 5_100, "GBP"))

    assert notice(payment, CAPTURED) is Noticed.APPLIED

    assert not payment.needs_operator


def test_a_late_callback_about_money_that_was_taken_back_since_is_old_news() -> None:
    payment = a_captured_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, Voided("ref-1")), POLICY)
    told(payment)

    assert notice(payment, CAPTURED) is Noticed.KNOWN

    assert status_of(payment) is Status.VOIDED
    assert payment.wanted_calls == [Question.VOID]


def test_a_callback_about_money_that_a_void_had_not_found_is_news_and_the_money_goes_back() -> None:
    payment = an_unknown_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, NotFound(), at=12), POLICY)
    payment.note_saved()

    assert notice(payment, CAPTURED) is Noticed.APPLIED

    assert payment.wanted_calls == [Question.VOID]
    assert told(payment) == [PaymentCaptured]


def test_a_void_that_was_asked_for_may_be_told_by_a_callback_and_one_that_was_not_is_shown() -> None:
    asked_for, unasked = a_captured_payment(), a_captured_payment()
    asked_for.request_void(NOON)

    assert notice(asked_for, Voided("ref-1")) is Noticed.APPLIED
    assert notice(unasked, Voided("ref-1")) is Noticed.DISPUTED

    assert told(asked_for) == [PaymentVoided]
    assert status_of(unasked) is Status.CAPTURED
    assert told(unasked) == [PaymentAttention]


def test_money_of_a_payment_that_was_never_sent_is_shown_to_an_operator() -> None:
    payment = a_payment()
    payment.take_answer(charged(NotSent(), at=600), POLICY)
    told(payment)

    assert notice(payment, CAPTURED) is Noticed.DISPUTED

    assert status_of(payment) is Status.UNAVAILABLE
