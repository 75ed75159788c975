"""Invariant I13: every missing piece of a waiting order is on its way to it, and no goods lie about that one waits for.

In whatever order facts are heard, suppliers answer, goods turn up and customers change their minds.
"""

from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from inventory_service.domain import ReservationStatus, Stockroom
from order_service.domain import Attention, Status
from tests.unit.restocking.world import World

_STEPS: Final = (
    World.place, World.hear, World.hear, World.hear, World.hear, World.answer, World.answer, World.bring_news,
    World.receive, World.cancel, World.ask_again,
)  # fmt: skip
_HISTORIES: Final = some.lists(
    some.tuples(some.sampled_from(range(len(_STEPS))), some.integers(0, 1_000)), min_size=40, max_size=100
)


def live_through(world: World, history: list[tuple[int, int]]) -> None:
    """The history, then quiet, then the end, with a look at all of it."""
    for step, number in history:
        _STEPS[step](world, number)
    world.settle()
    world.check()
    world.end()
    world.check()
    assert not [order for order in world.orders.values() if order.status is Status.AWAITING_RESTOCK]
    assert not [order for order in world.orders.values() if order.is_given_up and not order.has_ended]


@given(_HISTORIES)
@settings(max_examples=300, deadline=None)
def test_no_order_waits_for_nothing_and_no_goods_lie_about_while_one_waits(history: list[tuple[int, int]]) -> None:
    live_through(World(), history)


def test_a_waiting_order_says_when_its_supplier_is_asked_next() -> None:
    world = World()
    world.place(1)
    world.settle()
    [order] = world.orders.values()
    assert order.attention is Attention.SUPPLIER_WAIT

    world.answer(0)
    world.settle()

    [goods] = world.goods.supplier_orders.values()
    assert goods.next_check_at is not None
    assert (order.attention, order.next_try_at) == (Attention.SUPPLIER_WAIT, goods.next_check_at)


class OldestFirst(Stockroom):
    """Gives goods to whoever has waited longest, whoever they were ordered for."""

    def deliver(self, supplier_order_id: str, order_id: str, sku: str, quantity: int) -> bool:
        waiting = sorted(
            id_
            for id_, each in self.reservations.items()
            if each.status is ReservationStatus.WAITING and sku in each.missing
        )
        return super().deliver(supplier_order_id, waiting[0] if waiting else order_id, sku, quantity)


class EachTimeItIsTold(Stockroom):
    """Puts goods on the shelf as often as their delivery is told."""

    def deliver(self, supplier_order_id: str, order_id: str, sku: str, quantity: int) -> bool:
        self._delivered.clear()
        return super().deliver(supplier_order_id, order_id, sku, quantity)


class ToNobody(Stockroom):
    """Leaves free what an order does not need any more."""

    def _serve_waiting(self, sku: str, cause_id: str) -> None:
        return


@pytest.mark.parametrize("mistaken", [OldestFirst, EachTimeItIsTold, ToNobody])
def test_these_histories_find_a_stockroom_that_is_mistaken(mistaken: type[Stockroom]) -> None:
    @given(_HISTORIES)
    @settings(max_examples=2_000, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    def look(history: list[tuple[int, int]]) -> Any:
        live_through(World(mistaken), history)

    with pytest.raises(AssertionError):
        look()
