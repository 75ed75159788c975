"""A provider that cannot be reached: nothing is sent, nothing is lost, and the door can still be closed."""

import asyncio
from collections.abc import Callable

from chassis import clock
from chassis.calls import Call
from payment_service.domain import Captured, Declined, NotFound, NotSent, Refunded, Refused, Status, Voided
from payment_service.ports import ChargeRequest, RefundRequest
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import TIMEOUT, Desk, an_order, payment_requested
from tests.waiting import until


class AwayProvider:
    """Refuses connections until it is back."""

    def __init__(self) -> None:
        self.is_back = False
        self.charges: list[ChargeRequest] = []

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        self._require()
        self.charges.append(request)
        return Captured("ref", request.amount_minor, request.currency)

    async def look_up(self, key: str) -> NotFound:
        self._require()
        return NotFound()

    async def void(self, key: str) -> Voided | Refused:
        self._require()
        return Voided("ref")

    async def refund(self, request: RefundRequest) -> Refunded:
        self._require()
        return Refunded("ref", request.amount_minor, request.currency)

    async def look_up_refund(self, key: str) -> NotFound:
        self._require()
        return NotFound()

    def _require(self) -> None:
        if not self.is_back:
            raise NotSent("connection refused")


class BrokenProvider(AwayProvider):
    """Breaks in a way that nobody foresaw."""

    def _require(self) -> None:
        if not self.is_back:
            raise ValueError("garbage where an answer should be")


def test_what_cannot_be_sent_waits_and_is_captured_when_the_provider_is_back(a_desk: Callable[..., Desk]) -> None:
    provider, order = AwayProvider(), an_order()
    desk = a_desk(provider=provider)
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.status(order) == Status.INTENT)

    provider.is_back = True

    assert until(lambda: desk.books.open_calls() == 0)
    assert desk.books.decided(order) == ["PaymentCaptured"]
    assert len(provider.charges) == 1


def test_what_cannot_be_sent_until_the_reservation_is_over_is_unavailable(a_desk: Callable[..., Desk]) -> None:
    order = an_order()
    desk = a_desk(provider=AwayProvider())

    desk.hear(payment_requested(order, seconds=1))

    assert until(lambda: desk.books.open_calls() == 0)
    assert desk.books.status(order) == Status.UNAVAILABLE
    assert desk.books.decided(order) == ["PaymentUnavailable"]
    assert {outcome for _, outcome in desk.books.attempts(order)} == {"not_sent"}


def test_giving_up_closes_what_was_never_sent_even_when_the_provider_comes_back(a_desk: Callable[..., Desk]) -> None:
    provider, order = AwayProvider(), an_order()
    desk = a_desk(provider=provider)
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.status(order) == Status.INTENT)

    desk.hear(events.PaymentGiveUpRequested(order_id=order))
    provider.is_back = True

    assert until(lambda: desk.books.open_calls() == 0)
    assert desk.books.decided(order) == ["PaymentClosed"]
    assert provider.charges == []


def test_an_adapter_that_breaks_leaves_the_payment_unknown_and_asked_for(a_desk: Callable[..., Desk]) -> None:
    provider, order = BrokenProvider(), an_order()
    desk = a_desk(provider=provider)
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.status(order) == Status.UNKNOWN)

    provider.is_back = True

    assert until(lambda: desk.books.open_calls() == 0)
    assert desk.books.decided(order)[0] == "PaymentUnknown"
    assert desk.books.status(order) == Status.CAPTURED


def test_a_charge_whose_turn_comes_in_the_second_half_of_its_lease_is_not_sent(a_desk: Callable[..., Desk]) -> None:
    """Who takes it over when the lease is out trusts that nothing was sent as late as that."""
    provider = AwayProvider()
    provider.is_back = True
    desk = a_desk(provider=provider, is_open=False)
    payload = {"amount": 510, "currency": "GBP", "method": "sim_ok", "trace": ""}
    late = Call("charge", an_order(), an_order(), payload, leased_at=clock.monotonic() - 2 * TIMEOUT)

    asked = asyncio.run(desk.calls.ask(late))

    assert asked is not None
    assert isinstance(asked.answer, NotSent)
    assert provider.charges == []
