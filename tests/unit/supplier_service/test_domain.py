"""What becomes of a supplier order: accepted, late, delivered, refused, failed, or no longer needed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from supplier_service.domain import (
    NEXT_STATUSES,
    Accepted,
    Answer,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    FailureCode,
    IllegalTransition,
    News,
    Next,
    Policy,
    Question,
    Rejected,
    Status,
    SupplierOrder,
    SupplierOrderAccepted,
    SupplierOrderCancelled,
    SupplierOrderDelayed,
    SupplierOrderDelivered,
    SupplierOrderFailed,
    SupplierOrderRejected,
    SupplierOrderUnreachable,
    SupplierTrouble,
    TooLate,
    Underway,
    requested_order,
    unneeded_order,
)

NOON: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY: Final = Policy(check=timedelta(seconds=15), max_delayed=2, deadline=timedelta(days=1))
_NAMES: Final = ("order-1", "85123A", "supplier-order-1")


def a_supplier_order() -> SupplierOrder:
    """One that is about to be sent."""
    made = requested_order(_NAMES, 3, "acme", "ok", NOON)
    made.note_saved()
    return made


def an_accepted_order() -> SupplierOrder:
    """One that the supplier took on."""
    made = a_supplier_order()
    reserved(made, Accepted("ref-1"))
    made.note_saved()
    return made


def reserved(order: SupplierOrder, answer: Answer, at: datetime = NOON) -> Next | None:
    return order.take_answer(Question.RESERVE, answer, at, POLICY)


def checked(order: SupplierOrder, answer: Answer, at: datetime = NOON) -> Next | None:
    return order.take_answer(Question.CHECK, answer, at, POLICY)


def told(order: SupplierOrder) -> Sequence[type[object]]:
    kinds = [type(fact) for fact in order.facts]
    order.facts.clear()
    return kinds


def status_of(order: SupplierOrder) -> Status:
    """A call, because a type checker believes an attribute that it has seen compared."""
    return order.status


def test_an_accepted_order_is_told_and_checked_later() -> None:
    order = a_supplier_order()

    assert reserved(order, Accepted("ref-1")) == Next(Question.CHECK, 15)

    assert status_of(order) is Status.ACCEPTED
    assert order.next_check_at == NOON + timedelta(seconds=15)
    assert order.facts == [SupplierOrderAccepted(*_NAMES, NOON + timedelta(seconds=15))]


def test_a_rejected_order_has_ended_and_says_why() -> None:
    order = a_supplier_order()

    assert reserved(order, Rejected("No such article.")) is None

    assert status_of(order) is Status.REJECTED
    assert order.facts == [SupplierOrderRejected(*_NAMES, "No such article.")]


def test_delivered_goods_are_told_with_their_quantity() -> None:
    order = an_accepted_order()

    assert checked(order, Delivered()) is None

    assert status_of(order) is Status.DELIVERED
    assert order.checks_made == 1
    assert order.next_check_at is None
    assert order.facts == [SupplierOrderDelivered(*_NAMES, 3)]


def test_checks_come_less_and_less_often() -> None:
    order = an_accepted_order()

    pauses = [following.after for _ in range(12) if (following := checked(order, Underway()))]

    assert pauses[:3] == [30, 60, 120]
    assert pauses[-1] == 3_600


def test_who_waits_is_told_when_it_is_asked_next_while_it_is_underway() -> None:
    order = an_accepted_order()

    checked(order, Underway())

    assert order.facts == [SupplierOrderAccepted(*_NAMES, NOON + timedelta(seconds=30))]


def test_the_last_question_comes_at_the_deadline_and_not_long_after_it() -> None:
    order = an_accepted_order()
    for _ in range(12):
        checked(order, Underway())

    assert checked(order, Underway(), NOON + timedelta(days=1, minutes=-5)) == Next(Question.CHECK, 300)
    assert checked(order, SupplierTrouble("500"), NOON + timedelta(days=1, seconds=-0.5)) == Next(Question.CHECK, 0.5)


def test_two_delayed_answers_are_borne_and_the_third_ends_it() -> None:
    order = an_accepted_order()

    assert checked(order, Delayed()) == Next(Question.CHECK, 30)
    assert checked(order, Delayed()) == Next(Question.CHECK, 60)
    assert checked(order, Delayed()) is None

    assert status_of(order) is Status.FAILED
    assert order.failure_code == FailureCode.SUPPLIER_DELAYED
    assert told(order) == [SupplierOrderDelayed, SupplierOrderDelayed, SupplierOrderFailed]
    assert order.wanted_calls == [Question.CANCEL]


def test_what_we_gave_up_is_called_off_until_the_supplier_has_heard_of_it() -> None:
    order = an_accepted_order()
    for _ in range(3):
        checked(order, Delayed())
    told(order)

    assert order.take_answer(Question.CANCEL, SupplierTrouble("500"), NOON, POLICY) == Next(Question.CANCEL, 1)
    assert order.take_answer(Question.CANCEL, Cancelled(), NOON, POLICY) is None

    assert (status_of(order), told(order)) == (Status.FAILED, [])


def test_what_the_supplier_gave_up_needs_not_be_called_off() -> None:
    order = an_accepted_order()
    checked(order, Failed("Burnt down."))
    assert order.wanted_calls == []


def test_errors_between_delayed_answers_are_no_answers() -> None:
    order = an_accepted_order()
    for _ in range(10):
        checked(order, SupplierTrouble("500"))
    checked(order, Delayed())
    checked(order, SupplierTrouble("500"))
    checked(order, Delayed())

    assert status_of(order) is Status.ACCEPTED
    assert (order.checks_made, order.delayed_answers) == (2, 2)


def test_a_supplier_that_will_not_deliver_ends_it() -> None:
    order = an_accepted_order()

    assert checked(order, Failed("Burnt down.")) is None

    assert order.facts == [SupplierOrderFailed(*_NAMES, FailureCode.SUPPLIER_FAILED, "Burnt down.")]


def test_one_failed_question_is_asked_again_silently_and_several_are_told() -> None:
    order = a_supplier_order()

    pauses = [following.after for _ in range(12) if (following := reserved(order, SupplierTrouble("500")))]

    assert pauses[:3] == [1, 2, 4]
    assert pauses[-1] == 300
    assert told(order) == [SupplierOrderUnreachable] * 11
    assert status_of(order) is Status.REQUESTED


@pytest.mark.parametrize("answer", [SupplierTrouble("500"), Underway(), Delayed()])
def test_what_has_no_end_by_its_deadline_is_given_one(answer: Answer) -> None:
    order = an_accepted_order()

    assert checked(order, answer, NOON + timedelta(days=1)) is None

    assert status_of(order) is Status.FAILED
    assert order.failure_code == FailureCode.SUPPLIER_FAILED


def test_an_order_that_is_gone_lets_its_supplier_go_once() -> None:
    order = an_accepted_order()

    order.cancel()
    order.cancel()
    assert order.wanted_calls == [Question.CANCEL]
    assert order.take_answer(Question.CANCEL, Cancelled(), NOON, POLICY) is None

    assert status_of(order) is Status.CANCELLED
    assert told(order) == [SupplierOrderCancelled]


def test_what_cannot_be_cancelled_is_not_needed_and_not_checked_again() -> None:
    order = an_accepted_order()
    order.cancel()

    assert order.take_answer(Question.CANCEL, TooLate(), NOON, POLICY) is None
    assert checked(order, Underway()) is None

    assert status_of(order) is Status.NOT_NEEDED
    assert told(order) == [SupplierOrderCancelled]


def test_goods_that_come_all_the_same_are_told() -> None:
    order = an_accepted_order()
    order.cancel()
    order.take_answer(Question.CANCEL, TooLate(), NOON, POLICY)
    told(order)

    checked(order, Delivered())

    assert told(order) == [SupplierOrderDelivered]


def test_news_may_come_before_the_answer_to_the_request_and_wins() -> None:
    order = a_supplier_order()

    assert order.take_news(Delivered())
    assert reserved(order, Accepted("ref-1")) is None

    assert status_of(order) is Status.DELIVERED
    assert told(order) == [SupplierOrderDelivered]


def test_an_acceptance_that_is_told_first_is_still_followed_by_checks() -> None:
    order = a_supplier_order()

    assert order.take_news(Accepted("ref-9"))
    assert reserved(order, Accepted("ref-1")) == Next(Question.CHECK, 15)

    assert (order.reference, told(order)) == ("ref-9", [SupplierOrderAccepted])


@pytest.mark.parametrize("news", [Accepted("ref-1"), Delivered(), Delayed(), Failed("no"), Rejected("no")])
def test_a_repeat_of_news_changes_nothing(news: News) -> None:
    order = an_accepted_order()
    order.take_news(news)
    told(order)

    for _ in range(5):
        assert not order.take_news(news)

    assert told(order) == []


def test_delays_that_are_told_are_not_counted_with_those_that_are_answered() -> None:
    order = an_accepted_order()
    for _ in range(5):
        order.take_news(Delayed())

    assert (status_of(order), order.delayed_answers) == (Status.ACCEPTED, 0)


@pytest.mark.parametrize("ended", [Status.FAILED, Status.CANCELLED, Status.NOT_NEEDED])
def test_goods_that_are_told_though_nobody_counts_on_them_have_come(ended: Status) -> None:
    order = an_accepted_order()
    order.status = ended

    assert order.take_news(Delivered())
    assert not order.take_news(Failed("no"))

    assert told(order) == [SupplierOrderDelivered]


def test_a_supplier_cannot_take_back_what_it_has_delivered() -> None:
    order = an_accepted_order()
    order.take_news(Delivered())

    assert not order.take_news(Failed("Sorry."))
    assert checked(order, Failed("Sorry.")) is None

    assert (status_of(order), told(order)) == (Status.DELIVERED, [SupplierOrderDelivered])


def test_an_acceptance_that_comes_after_the_cancel_is_not_followed_by_checks() -> None:
    order = a_supplier_order()
    order.cancel()

    assert reserved(order, Accepted("ref-1")) is None
    order.take_answer(Question.CANCEL, Cancelled(), NOON, POLICY)

    assert status_of(order) is Status.CANCELLED


def test_a_supplier_that_was_told_to_let_go_has_not_failed_when_it_is_asked_again() -> None:
    """The question's caller died, and whoever asks it again is slower than our cancel."""
    order = an_accepted_order()
    order.cancel()

    assert checked(order, Failed("nothing is known of it")) is None
    assert order.take_answer(Question.CANCEL, Cancelled(), NOON, POLICY) is None

    assert status_of(order) is Status.CANCELLED
    assert told(order) == [SupplierOrderCancelled]


def test_a_supplier_that_was_told_to_let_go_does_not_reject_what_it_is_asked_for_again() -> None:
    order = a_supplier_order()
    order.cancel()

    assert reserved(order, Rejected("cancelled")) is None
    assert order.take_answer(Question.CANCEL, Cancelled(), NOON, POLICY) is None

    assert status_of(order) is Status.CANCELLED
    assert told(order) == [SupplierOrderCancelled]


def test_a_cancel_nobody_answers_ends_at_the_deadline() -> None:
    order = an_accepted_order()
    order.cancel()

    following = order.take_answer(Question.CANCEL, SupplierTrouble("500"), NOON, POLICY)
    assert following == Next(Question.CANCEL, 1)
    order.take_answer(Question.CANCEL, SupplierTrouble("500"), NOON + timedelta(days=1), POLICY)

    assert status_of(order) is Status.NOT_NEEDED


def test_what_is_asked_for_after_its_order_is_gone_is_never_sent() -> None:
    order = unneeded_order(_NAMES, 3, "acme", "ok", NOON)

    assert order.wanted_calls == []
    assert told(order) == [SupplierOrderCancelled]


def test_who_asks_again_is_told_again() -> None:
    order = an_accepted_order()
    order.answer_again()
    assert told(order) == [SupplierOrderAccepted]
    checked(order, Delivered())
    told(order)

    order.answer_again()
    order.cancel()

    assert told(order) == [SupplierOrderDelivered, SupplierOrderDelivered]


@pytest.mark.parametrize(("before", "after"), [(a, b) for a in Status for b in Status if b not in NEXT_STATUSES[a]])
def test_a_step_that_is_not_in_the_table_is_refused(before: Status, after: Status) -> None:
    order = a_supplier_order()
    order.status = before

    with pytest.raises(IllegalTransition):
        order._move(after)


_ANSWERS: Final = some.sampled_from(
    [
        Accepted("ref-1"), Rejected("no"), Delivered(), Delayed(), Underway(), Failed("no"), Cancelled(), TooLate(),
        SupplierTrouble(),
    ]
)  # fmt: skip


@given(
    some.lists(some.tuples(some.sampled_from([*Question, None]), _ANSWERS, some.sampled_from([0, 9e4])), max_size=12)
)
@settings(max_examples=500)
def test_no_order_of_answers_breaks_a_supplier_order(steps: list[tuple[Question | None, Answer, float]]) -> None:
    order = a_supplier_order()
    for question, answer, after in steps:
        if question is None:
            order.cancel()
        else:
            order.take_answer(question, answer, NOON + timedelta(seconds=after), POLICY)

    assert (order.status is Status.DELIVERED) == any(isinstance(fact, SupplierOrderDelivered) for fact in order.facts)
    assert order.status is not Status.FAILED or order.failure_code != ""
