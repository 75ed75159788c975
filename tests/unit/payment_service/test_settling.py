"""An operator's word: it ends what the provider does not tell, and nothing else."""

from collections.abc import Callable

import pytest

from payment_service.domain import (
    Attention,
    Captured,
    ErrorAnswer,
    NotFound,
    Payment,
    PaymentAttention,
    PaymentCaptured,
    PaymentDeclined,
    PaymentNotSettleable,
    PaymentVoided,
    Question,
    Refused,
    Settlement,
    Status,
    Voided,
)
from tests.unit.payment_service.examples import (
    CAPTURED,
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


def test_an_unknown_payment_is_captured_by_an_operators_word() -> None:
    payment = an_unknown_payment()

    payment.settle(Settlement.CAPTURED, "statement 17", NOON)

    assert status_of(payment) is Status.CAPTURED
    assert (payment.captured_minor, payment.provider_reference, payment.next_try_at) == (510, "statement 17", None)
    assert told(payment) == [PaymentCaptured]


def test_an_unknown_payment_was_not_captured_and_the_evidence_is_not_the_customers_business() -> None:
    payment = an_unknown_payment()

    payment.settle(Settlement.NOT_CAPTURED, "a clerk said so", NOON)

    assert status_of(payment) is Status.DECLINED
    assert "clerk" not in payment.decline_reason
    assert told(payment) == [PaymentDeclined]


def test_what_a_poll_brings_after_an_operators_word_changes_nothing() -> None:
    payment = an_unknown_payment()
    payment.settle(Settlement.CAPTURED, "", NOON)
    told(payment)

    assert payment.take_answer(looked_up(CAPTURED, at=15), POLICY) is None
    assert payment.take_answer(looked_up(NotFound(), at=15), POLICY) is None

    assert status_of(payment) is Status.CAPTURED
    assert told(payment) == []


def test_money_that_shows_up_after_an_operator_said_there_was_none_goes_back() -> None:
    payment = an_unknown_payment()
    payment.settle(Settlement.NOT_CAPTURED, "", NOON)
    told(payment)

    assert payment.take_answer(looked_up(CAPTURED, at=15), POLICY) is None
    assert payment.wanted_calls == [Question.VOID]
    payment.take_answer(asked(Question.VOID, Voided("ref-1"), at=16), POLICY)

    assert status_of(payment) is Status.VOIDED
    assert told(payment) == [PaymentCaptured, PaymentVoided]


def test_another_amount_that_shows_up_after_a_no_is_not_applied_but_shown() -> None:
    payment = an_unknown_payment()
    payment.settle(Settlement.NOT_CAPTURED, "", NOON)
    told(payment)

    assert payment.take_answer(looked_up(Captured("ref-1", 5_100, "GBP"), at=15), POLICY) is None

    assert status_of(payment) is Status.DECLINED
    assert told(payment) == [PaymentAttention]


def test_a_void_that_the_provider_refuses_is_ended_by_who_gave_the_money_back_by_hand() -> None:
    payment = a_captured_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, Refused("settled")), POLICY)
    told(payment)

    payment.settle(Settlement.GIVEN_BACK, "", NOON)

    assert status_of(payment) is Status.VOIDED
    assert told(payment) == [PaymentVoided]
    assert payment.take_answer(asked(Question.VOID, ErrorAnswer("500")), POLICY) is None


def test_an_amount_in_dispute_is_put_in_order_by_an_operators_word() -> None:
    payment = a_captured_payment()
    payment.take_notice(Captured("ref-1", 5_100, "GBP"), NOON, POLICY)
    told(payment)

    payment.settle(Settlement.CAPTURED, "", NOON)

    assert not payment.needs_operator
    assert payment.facts == [PaymentAttention("order-1", Attention.NONE, None)]


@pytest.mark.parametrize("settlement", [Settlement.NOT_CAPTURED, Settlement.GIVEN_BACK])
def test_money_in_dispute_of_a_payment_that_has_none_is_put_in_order_by_an_operators_word(
    settlement: Settlement,
) -> None:
    """Else its order would ask for an operator for ever, and refuse whatever he says."""
    payment = an_unknown_payment()
    payment.settle(Settlement.NOT_CAPTURED, "", NOON)
    payment.take_notice(Captured("ref-1", 5_100, "GBP"), NOON, POLICY)
    told(payment)

    payment.settle(settlement, "", NOON)

    assert (payment.status, payment.needs_operator) == (Status.DECLINED, False)
    assert payment.facts == [PaymentAttention("order-1", Attention.NONE, None)]
    with pytest.raises(PaymentNotSettleable):
        payment.settle(settlement, "", NOON)


def _voided() -> Payment:
    payment = a_captured_payment()
    payment.request_void(NOON)
    payment.take_answer(asked(Question.VOID, Voided("ref-1")), POLICY)
    return payment


@pytest.mark.parametrize(
    ("make", "settlement"),
    [
        (a_payment, Settlement.CAPTURED),
        (a_payment, Settlement.NOT_CAPTURED),
        (a_captured_payment, Settlement.CAPTURED),
        (a_captured_payment, Settlement.NOT_CAPTURED),
        (a_captured_payment, Settlement.GIVEN_BACK),
        (an_unknown_payment, Settlement.GIVEN_BACK),
        (an_unknown_payment, Settlement.NOT_GIVEN_BACK),
        (_voided, Settlement.CAPTURED),
        (_voided, Settlement.GIVEN_BACK),
    ],
)
def test_what_waits_for_no_operator_is_not_settled(make: Callable[[], Payment], settlement: Settlement) -> None:
    payment = make()
    payment.note_saved()

    with pytest.raises(PaymentNotSettleable):
        payment.settle(settlement, "", NOON)

    assert not payment.is_changed
    assert payment.facts == []


def test_a_charge_that_met_an_operators_word_while_it_was_voided_ends_once() -> None:
    payment = a_payment()
    payment.request_void(NOON)
    payment.take_answer(charged(ErrorAnswer("500")), POLICY)
    told(payment)

    payment.settle(Settlement.NOT_CAPTURED, "", NOON)

    assert told(payment) == [PaymentDeclined]
    assert payment.take_answer(asked(Question.VOID, NotFound(), at=1), POLICY) is None
    assert told(payment) == []
