"""What the stockroom makes of orders, receipts and callers."""

import pytest

from inventory_service.domain import (
    GoodsUnknown,
    Holder,
    MovementKind,
    NothingHeld,
    Policy,
    ReservationStatus,
    Shortage,
    SoldAlready,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShortage,
    allotment_id,
)
from tests.unit.inventory_service.examples import (
    EARLY,
    LATE,
    LATER,
    OTHER_RECEIPT,
    RECEIPT,
    TRACE,
    UNTIL,
    a_room,
    balance,
    place,
    told,
)


def test_an_order_holds_all_its_lines_until_its_time() -> None:
    room = a_room(A=5, B=5)

    order = place(room, EARLY, {"A": 2, "B": 5})

    assert (order.status, order.expires_at) == (ReservationStatus.HELD, UNTIL)
    assert (balance(room, "A"), balance(room, "B")) == ((5, 2), (5, 5))
    assert room.told == [(StockReserved(EARLY, UNTIL), TRACE)]


def test_one_short_line_and_nothing_is_held() -> None:
    room = a_room(A=5, B=1)

    order = place(room, EARLY, {"A": 2, "B": 3})

    assert order.status is ReservationStatus.REJECTED
    assert (balance(room, "A"), balance(room, "B")) == ((5, 0), (1, 0))
    assert room.movements == []
    assert told(room) == [StockRejected(EARLY, (Shortage("B", requested=3, available=1),))]


def test_a_product_without_a_shelf_is_short_of_all() -> None:
    room = a_room(A=5)

    place(room, EARLY, {"A": 1, "NOWHERE": 1}, Policy.BACKORDER)

    assert told(room) == [StockRejected(EARLY, (Shortage("NOWHERE", 1, 0),))]


def test_what_one_order_took_the_next_cannot_have() -> None:
    room = a_room(A=3)

    place(room, EARLY, {"A": 2})
    place(room, LATE, {"A": 2})

    assert [type(fact) for fact in told(room)] == [StockReserved, StockRejected]
    assert balance(room, "A") == (3, 2)


def test_a_sale_takes_from_the_shelf_what_was_held() -> None:
    room = a_room(A=5)
    place(room, EARLY, {"A": 2})

    assert room.commit(EARLY)

    assert balance(room, "A") == (3, 0)
    assert [(movement.kind, movement.on_hand_delta, movement.reserved_delta) for movement in room.movements] == [
        (MovementKind.RESERVATION, 0, 2),
        (MovementKind.SALE, -2, -2),
    ]


def test_a_second_sale_of_the_same_order_changes_nothing() -> None:
    room = a_room(A=5)
    place(room, EARLY, {"A": 2})
    room.commit(EARLY)

    assert not room.commit(EARLY)

    assert balance(room, "A") == (3, 0)


@pytest.mark.parametrize("before", ["nothing", "released", "rejected", "waiting"])
def test_a_sale_of_what_is_not_held_is_never_swallowed(before: str) -> None:
    room = a_room(S=1)
    if before != "nothing":
        place(
            room,
            EARLY,
            {"S": 1 if before == "released" else 2},
            Policy.BACKORDER if before == "waiting" else Policy.REJECT,
        )
    if before == "released":
        room.release_order(EARLY, TRACE)

    with pytest.raises(NothingHeld):
        room.commit(EARLY)


def test_a_release_gives_back_and_says_so() -> None:
    room = a_room(A=5)
    place(room, EARLY, {"A": 2})

    room.release_order(EARLY, TRACE)

    assert balance(room, "A") == (5, 0)
    assert told(room)[-1] == StockReleased(EARLY)


def test_a_release_is_acknowledged_also_when_nothing_is_held() -> None:
    room = a_room(A=1)
    place(room, EARLY, {"A": 2})

    room.release_order(EARLY, TRACE)
    room.release_order(EARLY, TRACE)

    assert told(room)[1:] == [StockReleased(EARLY), StockReleased(EARLY)]
    assert balance(room, "A") == (1, 0)


def test_a_release_that_overtakes_its_order_leaves_a_closed_reservation() -> None:
    room = a_room(A=5)

    room.release_order(EARLY, TRACE)
    asks_in_vain = room.place(EARLY, {"A": 2}, Policy.REJECT, TRACE)

    assert not asks_in_vain
    assert balance(room, "A") == (5, 0)
    assert told(room) == [StockReleased(EARLY)]


def test_what_was_sold_cannot_be_given_back() -> None:
    room = a_room(A=5)
    place(room, EARLY, {"A": 2})
    room.commit(EARLY)

    with pytest.raises(SoldAlready):
        room.release_order(EARLY, TRACE)


@pytest.mark.parametrize("sold", [False, True])
def test_an_order_that_asks_again_is_told_again_what_it_holds(sold: bool) -> None:
    room = a_room(A=5)
    place(room, EARLY, {"A": 2})
    if sold:
        room.commit(EARLY)

    room.place(EARLY, {"A": 2}, Policy.REJECT, TRACE)

    assert told(room) == [StockReserved(EARLY, UNTIL)] * 2
    assert balance(room, "A")[1] == (0 if sold else 2)


def test_an_order_that_asks_again_is_told_again_what_was_missing_then() -> None:
    room = a_room(A=1)
    place(room, EARLY, {"A": 2})
    room.change("A", MovementKind.RECEIPT, 9, RECEIPT, "")

    room.place(EARLY, {"A": 2}, Policy.REJECT, TRACE)

    assert told(room) == [StockRejected(EARLY, (Shortage("A", 2, 1),))] * 2


def test_a_backorder_holds_what_there_is_and_waits_for_the_rest() -> None:
    room = a_room(A=5, S=1)

    order = place(room, EARLY, {"A": 2, "S": 3}, Policy.BACKORDER)

    assert (order.status, order.missing) == (ReservationStatus.WAITING, {"S": 2})
    assert (balance(room, "A"), balance(room, "S")) == ((5, 2), (1, 1))
    assert told(room) == [StockShortage(EARLY, (Shortage("S", 3, 1, "acme", 1, "ok"),))]


def test_a_backorder_with_a_short_line_that_nobody_delivers_holds_nothing() -> None:
    room = a_room(A=1, S=1)

    place(room, EARLY, {"A": 2, "S": 3}, Policy.BACKORDER)

    assert [type(fact) for fact in told(room)] == [StockRejected]
    assert (balance(room, "A"), balance(room, "S")) == ((1, 0), (1, 0))


def test_goods_that_come_in_go_to_those_who_wait_by_order_id_and_in_part() -> None:
    room = a_room(S=0)
    late = place(room, LATE, {"S": 2}, Policy.BACKORDER)
    early = place(room, EARLY, {"S": 2}, Policy.BACKORDER)

    room.change("S", MovementKind.RECEIPT, 3, RECEIPT, "")

    assert (early.status, late.status) == (ReservationStatus.HELD, ReservationStatus.WAITING)
    assert late.missing == {"S": 1}
    assert balance(room, "S") == (3, 3)
    assert told(room)[2:] == [StockReserved(EARLY, UNTIL)]


def test_nobody_overtakes_those_who_wait() -> None:
    room = a_room(S=0)
    place(room, EARLY, {"S": 2}, Policy.BACKORDER)
    room.change("S", MovementKind.RECEIPT, 1, RECEIPT, "")

    place(room, LATE, {"S": 1})

    assert isinstance(told(room)[-1], StockRejected)


def test_what_an_order_gives_back_goes_to_those_who_wait() -> None:
    room = a_room(S=2)
    place(room, EARLY, {"S": 2})
    waiting = place(room, LATE, {"S": 2}, Policy.BACKORDER)

    room.release_order(EARLY, TRACE)

    assert waiting.status is ReservationStatus.HELD
    assert told(room)[-2:] == [StockReserved(LATE, UNTIL), StockReleased(EARLY)]
    assert balance(room, "S") == (2, 2)


def test_a_waiting_order_that_ends_gives_back_only_what_it_held() -> None:
    room = a_room(A=2, S=1)
    place(room, EARLY, {"A": 2, "S": 3}, Policy.BACKORDER)

    room.release_order(EARLY, TRACE)

    assert (balance(room, "A"), balance(room, "S")) == ((2, 0), (1, 0))
    assert [(each.sku, each.reserved_delta) for each in room.movements if each.kind is MovementKind.RELEASE] == [
        ("A", -2),
        ("S", -1),
    ]


def test_one_receipt_for_several_orders_is_one_movement_for_each() -> None:
    room = a_room(S=0)
    for order_id in (EARLY, LATE, LATER):
        place(room, order_id, {"S": 1}, Policy.BACKORDER)

    room.change("S", MovementKind.RECEIPT, 3, RECEIPT, "")

    allotted = [(each.cause_id, each.order_id) for each in room.movements if each.kind is MovementKind.RESERVATION]
    assert allotted == [(allotment_id(RECEIPT, order_id), order_id) for order_id in (EARLY, LATE, LATER)]
    assert len(set(allotted)) == 3


def test_a_caller_holds_under_an_id_of_its_own_and_no_order_is_told() -> None:
    room = a_room(A=5)

    reservation = room.reserve(EARLY, {"A": 2}, UNTIL)
    room.commit(EARLY)

    assert (reservation.holder, reservation.order_id) == (Holder.RPC, None)
    assert balance(room, "A") == (3, 0)
    assert told(room) == []
    assert {movement.order_id for movement in room.movements} == {None}


def test_an_order_cannot_take_over_the_reservation_of_a_caller() -> None:
    room = a_room(A=5)
    room.reserve(EARLY, {"A": 2}, UNTIL)

    with pytest.raises(ValueError, match="belongs to no order"):
        room.place(EARLY, {"A": 2}, Policy.REJECT, TRACE)


def test_a_suppliers_goods_go_to_the_order_they_were_ordered_for_though_another_waits_for_longer() -> None:
    room = a_room(S=0)
    early = place(room, EARLY, {"S": 2}, Policy.BACKORDER)
    late = place(room, LATE, {"S": 2}, Policy.BACKORDER)

    room.deliver(RECEIPT, LATE, "S", 2)

    assert (early.status, late.status) == (ReservationStatus.WAITING, ReservationStatus.HELD)
    assert balance(room, "S") == (2, 2)


def test_what_the_order_does_not_need_any_more_serves_the_oldest_and_is_then_free() -> None:
    room = a_room(S=0)
    for order in (EARLY, LATE, LATER):
        place(room, order, {"S": 3}, Policy.BACKORDER)
    room.change("S", MovementKind.RECEIPT, 2, OTHER_RECEIPT, "found some")
    assert room.reservations[EARLY].missing == {"S": 1}

    room.deliver(RECEIPT, EARLY, "S", 3)

    assert [room.reservations[order].missing for order in (EARLY, LATE, LATER)] == [{}, {"S": 1}, {"S": 3}]
    room.release_order(LATE, TRACE)
    room.release_order(LATER, TRACE)
    assert balance(room, "S") == (5, 3)


def test_goods_for_an_order_that_is_gone_serve_others_and_are_then_free() -> None:
    room = a_room(S=0)
    place(room, EARLY, {"S": 3}, Policy.BACKORDER)
    other = place(room, LATE, {"S": 1}, Policy.BACKORDER)
    room.release_order(EARLY, TRACE)

    room.deliver(RECEIPT, EARLY, "S", 3)

    assert other.status is ReservationStatus.HELD
    assert balance(room, "S") == (3, 1)


def test_goods_are_put_on_the_shelf_once_however_often_they_are_told() -> None:
    room = a_room(S=0)
    place(room, EARLY, {"S": 3}, Policy.BACKORDER)

    assert room.deliver(RECEIPT, EARLY, "S", 3)
    assert not room.deliver(RECEIPT, EARLY, "S", 3)

    assert balance(room, "S") == (3, 3)


def test_goods_of_an_unknown_product_are_somebodys_mistake() -> None:
    with pytest.raises(GoodsUnknown):
        a_room().deliver(RECEIPT, EARLY, "S", 3)
