"""Orders that heard no answer ask again, as a new event: payments repeat what was recorded, and charge nobody twice."""

from payment_service.domain import Status
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import Books, Desk, an_order, payment_requested
from tests.waiting import until


def test_a_void_that_is_asked_for_again_is_told_again_and_made_once(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order))
    assert until(lambda: books.open_calls() == 0)
    desk.hear(events.PaymentVoidRequested(order_id=order))
    assert until(lambda: books.status(order) == Status.VOIDED)

    desk.hear(events.PaymentVoidRequested(order_id=order))

    assert books.decided(order) == ["PaymentCaptured", "PaymentVoided", "PaymentVoided"]
    assert books.entries(order) == ["captured", "voided"]


def test_a_charge_that_is_asked_for_again_while_it_is_under_way_is_told_as_started(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order, "sim_slow:300"))

    desk.hear(payment_requested(order, "sim_slow:300"))

    assert "PaymentStarted" in books.told(order)
    assert until(lambda: books.decided(order) == ["PaymentCaptured"])
    assert books.entries(order) == ["captured"]


def test_a_request_that_comes_again_behind_its_cancel_is_told_how_that_ended(desk: Desk, books: Books) -> None:
    order = an_order()
    desk.hear(payment_requested(order, "sim_declined"))
    assert until(lambda: books.open_calls() == 0)

    desk.hear(events.PaymentGiveUpRequested(order_id=order), payment_requested(order, "sim_ok"))

    assert books.decided(order) == ["PaymentDeclined"] * 3
    assert books.entries(order) == ["declined"]
