"""Payments on real Postgres: every way in which the provider answers, heard once, twice and out of order."""

from collections.abc import Callable

import pytest

from payment_service.domain import Status
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import Books, Desk, an_order, payment_requested
from tests.waiting import until


def test_a_payment_is_captured_told_once_and_leaves_no_call_behind(desk: Desk, books: Books) -> None:
    orders = [an_order() for _ in range(300)]

    desk.hear(*(payment_requested(order) for order in orders))

    assert until(lambda: books.open_calls() == 0)
    assert {tuple(books.decided(order)) for order in orders} == {("PaymentCaptured",)}
    assert {tuple(books.entries(order)) for order in orders} == {("captured",)}
    captured = books.facts(orders[0])[-1]
    assert isinstance(captured, events.PaymentCaptured)
    assert (captured.amount_minor, captured.currency) == (510, "GBP")
    assert captured.provider_reference == f"sim-{captured.payment_id}"
    assert captured.HasField("started_at")


@pytest.mark.parametrize(
    ("method", "facts", "attempts"),
    [
        ("sim_declined", ["PaymentDeclined"], [("CHARGE", "declined")]),
        ("sim_insufficient_funds", ["PaymentDeclined"], [("CHARGE", "declined")]),
        ("cheque", ["PaymentDeclined"], [("CHARGE", "declined")]),
        (
            "sim_error_then_ok",
            ["PaymentCaptured"],
            [("CHARGE", "error"), ("CHARGE", "error"), ("CHARGE", "captured")],
        ),
        ("sim_slow:300", ["PaymentCaptured"], [("CHARGE", "captured")]),
        (
            "sim_timeout_charged",
            ["PaymentUnknown", "PaymentCaptured"],
            [("CHARGE", "timeout"), ("LOOK_UP", "captured")],
        ),
        (
            "sim_timeout_not_charged",
            ["PaymentUnknown", "PaymentCaptured"],
            [("CHARGE", "timeout"), ("LOOK_UP", "not_found"), ("CHARGE", "captured")],
        ),
    ],
)
def test_each_payment_method_ends_as_it_is_named(
    desk: Desk, books: Books, method: str, facts: list[str], attempts: list[tuple[str, str]]
) -> None:
    order = an_order()

    desk.hear(payment_requested(order, method))

    assert until(lambda: books.open_calls() == 0)
    assert books.decided(order) == facts
    assert books.attempts(order) == attempts
    assert len(books.entries(order)) == 1


@pytest.mark.parametrize("method", ["sim_slow:300", "sim_error_then_ok", "sim_timeout_charged"])
def test_what_takes_its_time_is_told_as_started_once_and_first(desk: Desk, books: Books, method: str) -> None:
    order = an_order()

    desk.hear(payment_requested(order, method))

    assert until(lambda: books.open_calls() == 0)
    assert books.told(order).index("PaymentStarted") == 0
    assert books.told(order).count("PaymentStarted") == 1


def test_a_charge_that_shows_late_is_found_and_not_made_twice(desk: Desk, books: Books) -> None:
    order = an_order()

    desk.hear(payment_requested(order, "sim_timeout_late_charge:1500"))

    assert until(lambda: books.open_calls() == 0)
    assert books.status(order) == Status.CAPTURED
    assert books.entries(order) == ["captured"]
    assert ("LOOK_UP", "not_found") in books.attempts(order)


def test_an_event_that_comes_twice_is_one_payment(desk: Desk, books: Books) -> None:
    order = an_order()
    records = desk.hear(payment_requested(order))
    desk.hear_again(records)
    assert until(lambda: books.open_calls() == 0)

    desk.hear_again(records * 3)

    assert books.decided(order) == ["PaymentCaptured"]
    assert books.entries(order) == ["captured"]


def test_a_request_sent_again_as_a_new_event_is_answered_with_the_recorded_fact(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order))
    assert until(lambda: books.open_calls() == 0)

    desk.hear(payment_requested(order, "sim_declined"))

    assert books.decided(order) == ["PaymentCaptured", "PaymentCaptured"]
    assert books.entries(order) == ["captured"]


def test_the_same_order_twice_in_one_poll_is_one_payment(desk: Desk, books: Books) -> None:
    order = an_order()

    desk.hear(payment_requested(order), payment_requested(order))

    assert until(lambda: books.open_calls() == 0)
    assert books.decided(order) == ["PaymentCaptured"]
    assert books.entries(order) == ["captured"]


def test_giving_up_before_the_request_closes_the_door_for_it(desk: Desk, books: Books) -> None:
    order = an_order()

    desk.hear(events.PaymentGiveUpRequested(order_id=order))
    desk.hear(payment_requested(order))

    assert books.open_calls() == 0
    assert books.told(order) == ["PaymentClosed", "PaymentClosed"]
    assert books.entries(order) == []


def test_giving_up_what_is_being_sent_finds_the_door_open(desk: Desk, books: Books) -> None:
    order = an_order()

    desk.hear(payment_requested(order, "sim_slow:100"), events.PaymentGiveUpRequested(order_id=order))

    assert until(lambda: books.open_calls() == 0)
    assert books.told(order)[0] == "PaymentStarted"
    assert books.decided(order) == ["PaymentCaptured"]


def test_giving_up_after_the_end_is_told_the_end(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order, "sim_declined"))
    assert until(lambda: books.open_calls() == 0)

    desk.hear(events.PaymentGiveUpRequested(order_id=order))

    assert books.decided(order) == ["PaymentDeclined", "PaymentDeclined"]


def test_captured_money_of_a_cancelled_order_is_taken_back_once(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order))
    assert until(lambda: books.open_calls() == 0)

    desk.hear(events.PaymentVoidRequested(order_id=order), events.PaymentVoidRequested(order_id=order))

    assert until(lambda: books.status(order) == Status.VOIDED)
    assert books.decided(order) == ["PaymentCaptured", "PaymentVoided"]
    assert books.entries(order) == ["captured", "voided"]
    assert until(lambda: books.open_calls() == 0)


def test_a_void_that_comes_while_the_charge_is_under_way_waits_for_it(desk: Desk, books: Books) -> None:
    order = an_order()

    desk.hear(payment_requested(order, "sim_slow:200"))
    desk.hear(events.PaymentVoidRequested(order_id=order))

    assert until(lambda: books.status(order) == Status.VOIDED)
    assert books.entries(order) == ["captured", "voided"]


def test_a_cancelled_order_gets_back_money_that_shows_only_after_its_void_found_nothing(
    desk: Desk, books: Books
) -> None:
    order = an_order()
    desk.hear(payment_requested(order, "sim_timeout_late_charge:1500"))
    assert until(lambda: books.status(order) == Status.UNKNOWN)

    desk.hear(events.PaymentVoidRequested(order_id=order))

    assert until(lambda: books.entries(order) == ["captured", "voided"])
    assert until(lambda: books.open_calls() == 0)
    assert books.decided(order)[-3:] == ["PaymentVoided", "PaymentCaptured", "PaymentVoided"]


def test_two_instances_charge_each_order_once(a_desk: Callable[..., Desk]) -> None:
    first, second = a_desk(in_flight=4), a_desk(in_flight=4)
    orders = [an_order() for _ in range(200)]

    records = first.hear(*(payment_requested(order) for order in orders[:100]))
    second.hear_again(records)
    second.hear(*(payment_requested(order) for order in orders))

    assert until(lambda: first.books.open_calls() == 0)
    assert {tuple(first.books.entries(order)) for order in orders} == {("captured",)}
    assert {first.books.status(order) for order in orders} == {Status.CAPTURED}


def test_a_call_that_nobody_had_room_for_is_made_by_who_finds_it(a_desk: Callable[..., Desk]) -> None:
    order = an_order()
    a_desk(is_open=False).hear(payment_requested(order))

    books = a_desk().books

    assert until(lambda: books.open_calls() == 0)
    assert books.decided(order) == ["PaymentCaptured"]
    assert books.attempts(order) == [("CHARGE", "captured")]
