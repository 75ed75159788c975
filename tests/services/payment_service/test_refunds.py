"""Refunds on real Postgres, from the request to the provider's books: once, whoever dies or is silent on the way."""

from collections.abc import Callable, Sequence

import pytest

from chassis import ids
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.domain import Captured, Declined, NotFound, NotSent, Refunded, Refused, Status, Voided
from payment_service.ports import ChargeRequest, RefundRequest
from tests.services.payment_service.desk import Desk, an_order, payment_requested, refund_requested
from tests.waiting import until


class ForgetfulProvider:
    """Carries everything out, and leaves out the first answers to refunds: each a time-out, a refusal, or nothing."""

    def __init__(self, *troubles: Exception | Refused) -> None:
        self.behind: SimulatedProvider | None = None
        self.troubles = list(troubles)
        self.is_done_first = True
        self.refunds = 0

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        return await self._simulated.charge(request)

    async def look_up(self, key: str) -> Captured | Declined | Voided | NotFound:
        return await self._simulated.look_up(key)

    async def void(self, key: str) -> Voided | NotFound | Refused:
        return await self._simulated.void(key)

    async def refund(self, request: RefundRequest) -> Refunded | Refused:
        self.refunds += 1
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is None:
            return await self._simulated.refund(request)
        if isinstance(trouble, Refused):
            return trouble
        if self.is_done_first:
            await self._simulated.refund(request)
        raise trouble

    async def look_up_refund(self, key: str) -> Refunded | NotFound:
        return await self._simulated.look_up_refund(key)

    @property
    def _simulated(self) -> SimulatedProvider:
        assert self.behind is not None
        return self.behind


def a_paid_order(desk: Desk) -> str:
    """5.10 GBP were captured for it."""
    order = an_order()
    desk.hear(payment_requested(order))
    assert until(lambda: desk.books.open_calls() == 0 and desk.books.status(order) == Status.CAPTURED)
    return order


def refunds_told(desk: Desk, order: str) -> Sequence[str]:
    return [name for name in desk.books.told(order) if name.startswith("Refund")]


def is_over(desk: Desk) -> bool:
    return until(lambda: desk.books.open_calls() == 0)


def test_a_refund_is_carried_out_told_and_booked(desk: Desk) -> None:
    order = a_paid_order(desk)

    desk.hear(refund_requested(order, 200))

    assert is_over(desk)
    assert refunds_told(desk, order) == ["RefundSucceeded"]
    assert desk.books.status(order) == Status.PARTIALLY_REFUNDED
    assert desk.books.entries(order) == ["captured", "refunded"]
    assert desk.books.attempts(order)[-1] == ("REFUND", "refunded")


def test_a_refund_asked_for_again_with_a_new_event_is_one(desk: Desk) -> None:
    """The inbox knows the record, not the refund: without a key of its own it would be given back twice."""
    order, refund_id = a_paid_order(desk), ids.new_id()

    desk.hear(refund_requested(order, 200, refund_id), refund_requested(order, 200, refund_id))
    assert is_over(desk)
    desk.hear(refund_requested(order, 200, refund_id))

    assert is_over(desk)
    assert desk.books.entries(order) == ["captured", "refunded"]
    assert refunds_told(desk, order) == ["RefundSucceeded", "RefundSucceeded"], "who asks again is told again"


def test_refunds_never_come_to_more_than_was_captured(desk: Desk) -> None:
    order = a_paid_order(desk)

    desk.hear(*(refund_requested(order, 200) for _ in range(5)))

    assert is_over(desk)
    assert sorted(refunds_told(desk, order)) == ["RefundFailed"] * 3 + ["RefundSucceeded"] * 2
    assert desk.books.entries(order).count("refunded") == 2


def test_money_asked_back_before_it_is_known_to_be_there_waits_for_it(desk: Desk) -> None:
    order = an_order()

    desk.hear(refund_requested(order, 200))

    assert desk.books.told(order) == []
    assert desk.parked() == ["too_early"]


@pytest.mark.parametrize("is_done_first", [True, False], ids=["given back", "not given back"])
def test_a_timeout_is_unknown_until_it_is_asked_for_and_is_given_back_once(
    a_desk: Callable[..., Desk], is_done_first: bool
) -> None:
    provider = ForgetfulProvider(TimeoutError())
    provider.is_done_first = is_done_first
    desk = a_desk(provider=provider)
    provider.behind = desk.simulated
    order = a_paid_order(desk)

    desk.hear(refund_requested(order, 510))

    assert is_over(desk)
    assert refunds_told(desk, order)[0] == "RefundDelayed"
    assert refunds_told(desk, order)[-1] == "RefundSucceeded"
    assert desk.books.entries(order) == ["captured", "refunded"]
    assert desk.books.status(order) == Status.REFUNDED


def test_a_provider_that_is_away_is_asked_until_it_is_back(a_desk: Callable[..., Desk]) -> None:
    provider = ForgetfulProvider(NotSent("connection refused"))
    provider.is_done_first = False
    desk = a_desk(provider=provider)
    provider.behind = desk.simulated
    order = a_paid_order(desk)

    desk.hear(refund_requested(order, 510))

    assert is_over(desk)
    assert (provider.refunds, refunds_told(desk, order)) == (2, ["RefundSucceeded"])


def test_a_refund_that_stays_refused_fails_and_leaves_the_money_captured(a_desk: Callable[..., Desk]) -> None:
    provider = ForgetfulProvider(*[Refused("The card is closed.")] * 4)
    desk = a_desk(provider=provider)
    provider.behind = desk.simulated
    order = a_paid_order(desk)

    desk.hear(refund_requested(order, 510))

    assert is_over(desk)
    assert refunds_told(desk, order) == ["RefundDelayed"] * 3 + ["RefundFailed"]
    assert desk.books.status(order) == Status.CAPTURED
    desk.hear(refund_requested(order, 510))
    assert is_over(desk)
    assert desk.books.status(order) == Status.REFUNDED, "what failed is free to be asked for again"


def test_who_takes_over_asks_first_and_gives_back_once(a_desk: Callable[..., Desk]) -> None:
    """Its caller died after the send: sent again without asking, only the provider's mercy would prevent a second."""
    desk = a_desk()
    order = a_paid_order(desk)
    desk.calls.engine.stop()
    desk.hear(refund_requested(order, 200))
    desk.lose_calls()

    second = a_desk()

    assert is_over(second)
    assert [kind for kind, _ in second.books.attempts(order)][-2:] == ["REFUND_LOOK_UP", "REFUND"]
    assert second.books.entries(order) == ["captured", "refunded"]
