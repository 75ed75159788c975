"""Whatever happens in a stockroom, in whatever order: the ledger adds up, and nothing is sold twice."""

from collections import Counter
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from chassis import ids
from inventory_service.domain import (
    MovementKind,
    NothingHeld,
    Policy,
    ReservationStatus,
    SoldAlready,
    StockReserved,
    Stockroom,
)
from tests.unit.inventory_service.examples import TRACE, UNTIL, a_room

SKUS: Final = ("A", "B", "S1", "S2")
ORDERS: Final = [ids.new_id() for _ in range(6)]

_LINES: Final = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 5), min_size=1)
_STEP: Final = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(ORDERS), _LINES, st.sampled_from(Policy)),
    st.tuples(st.just("reserve"), _LINES),
    st.tuples(st.just("commit"), st.sampled_from(ORDERS)),
    st.tuples(st.just("release"), st.sampled_from(ORDERS)),
    st.tuples(st.just("receive"), st.sampled_from(SKUS), st.integers(1, 6)),
    st.tuples(st.just("lose"), st.sampled_from(SKUS), st.integers(1, 6)),
)


@given(st.lists(_STEP, max_size=40))
def test_whatever_happens_the_movements_add_up_to_the_balances(steps: list[tuple[Any, ...]]) -> None:
    room = a_room(**dict.fromkeys(SKUS, 0))

    for step in steps:
        _take(room, step)
        _check(room)


@given(st.lists(_STEP, max_size=40))
def test_whatever_happens_an_order_is_told_it_holds_all_only_when_it_does(steps: list[tuple[Any, ...]]) -> None:
    room = a_room(**dict.fromkeys(SKUS, 3))

    for step in steps:
        before = len(room.told)
        _take(room, step)
        for fact, _ in room.told[before:]:
            if isinstance(fact, StockReserved):
                order = room.reservations[fact.order_id]
                assert order.status in (ReservationStatus.HELD, ReservationStatus.COMMITTED)
                assert not order.missing


@given(st.lists(_STEP, max_size=40))
def test_whatever_happens_no_cause_moves_a_sku_twice_in_the_same_way(steps: list[tuple[Any, ...]]) -> None:
    room = a_room(**dict.fromkeys(SKUS, 3))

    for step in steps:
        _take(room, step)

    keys = Counter((each.cause_id, each.sku, each.kind) for each in room.movements)
    assert not [key for key, times in keys.items() if times > 1]


def _take(room: Stockroom, step: tuple[Any, ...]) -> None:
    match step:
        case ("place", order_id, lines, policy):
            room.place(order_id, lines, policy, TRACE)
        case ("reserve", lines) if not room.shortages_of(lines):
            room.reserve(ids.new_id(), lines, UNTIL)
        case ("commit", order_id):
            _unless(NothingHeld, room.commit, order_id)
        case ("release", order_id):
            _unless(SoldAlready, room.release_order, order_id, TRACE)
        case ("receive", sku, pieces):
            room.change(sku, MovementKind.RECEIPT, pieces, ids.new_id(), "")
        case ("lose", sku, pieces) if room.shelves[sku].available >= pieces:
            room.change(sku, MovementKind.ADJUSTMENT, -pieces, ids.new_id(), "")


def _unless(refusal: type[Exception], work: Any, *arguments: Any) -> None:
    try:
        work(*arguments)
    except refusal:
        return


def _check(room: Stockroom) -> None:
    on_hand: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    for movement in room.movements:
        on_hand[movement.sku] += movement.on_hand_delta
        reserved[movement.sku] += movement.reserved_delta
    held: Counter[str] = Counter()
    awaited: set[str] = set()
    for reservation in room.reservations.values():
        if reservation.is_holding:
            held.update(reservation.held())
            awaited.update(reservation.missing)
    for sku, shelf in room.shelves.items():
        assert (shelf.on_hand, shelf.reserved) == (on_hand[sku], reserved[sku])
        assert 0 <= shelf.reserved <= shelf.on_hand
        assert shelf.reserved == held[sku]
        assert shelf.available == 0 or sku not in awaited
