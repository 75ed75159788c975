"""One door for charges and those who give up: whoever comes first, the order hears what is true."""

from collections.abc import Callable

from payment_service.domain import Status
from protos.payments.events.v1 import events_pb2 as events
from tests.services.payment_service.desk import Desk, an_order, payment_requested
from tests.services.payment_service.test_refusals import AwayProvider
from tests.waiting import until


def test_an_expiry_that_races_a_charge_closes_the_door_or_finds_it_open_never_both(a_desk: Callable[..., Desk]) -> None:
    """Who only looked whether a charge was under way would see none, expire the order, and then be charged."""
    provider = AwayProvider()
    charging, expiring = a_desk(provider=provider), a_desk(provider=provider)
    orders = [an_order() for _ in range(60)]
    charging.hear(*(payment_requested(order) for order in orders))
    assert until(lambda: {charging.books.status(order) for order in orders} == {Status.INTENT})

    provider.is_back = True
    for order in orders:
        expiring.hear(events.PaymentGiveUpRequested(order_id=order))

    assert until(lambda: charging.books.open_calls() == 0)
    charged = {request.order_id for request in provider.charges}
    closed = {order for order in orders if charging.books.status(order) == Status.CLOSED}
    assert charged.isdisjoint(closed)
    assert charged | closed == set(orders)
    assert {charging.books.decided(order)[-1] for order in charged} <= {"PaymentCaptured"}
    assert {tuple(charging.books.decided(order)) for order in closed} <= {("PaymentClosed",)}
