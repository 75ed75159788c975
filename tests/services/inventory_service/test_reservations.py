"""Stock held for other teams' services: under an id of theirs, for a time, and for nobody else."""

from functools import partial

import pytest

from chassis import ids
from chassis.database import run_sql
from chassis.errors import NotFound
from inventory_service.commands import CommitReservation, ReleaseReservation, ReserveStock, free_expired
from inventory_service.domain import (
    IdempotencyKeyReused,
    ReservationNotHeld,
    ReservationStatus,
    StockInsufficient,
    UnknownSku,
)
from protos.inventory.v1 import inventory_pb2 as pb
from tests.services.inventory_service.warehouse import Warehouse, placed


def _sweep(warehouse: Warehouse) -> int:
    return warehouse.database.write(partial(free_expired, warehouse.stockrooms))


def _let_time_pass(warehouse: Warehouse) -> None:
    """All reservations were made an hour ago."""
    sql = "UPDATE reservations SET expires_at = expires_at - interval '1 hour', sweep_at = sweep_at - interval '1 hour'"
    warehouse.database.write(lambda connection: run_sql(connection, sql))


def test_a_caller_holds_and_sells_under_its_own_id(warehouse: Warehouse) -> None:
    warehouse.stock(A=5, B=5)
    id_ = ids.new_id()

    held = warehouse.reserve(id_, ("A", 2), ("B", 1))
    sold = warehouse.ask(CommitReservation(id_))

    assert (held.lines, sold.status) == ({"A": 2, "B": 1}, ReservationStatus.COMMITTED)
    assert (warehouse.balance("A"), warehouse.balance("B")) == ((3, 0), (4, 0))
    assert warehouse.told(id_) == []
    assert warehouse.rows("SELECT 1 FROM movements WHERE order_id IS NOT NULL") == []


def test_a_repeat_names_the_same_reservation_and_other_lines_are_refused(warehouse: Warehouse) -> None:
    warehouse.stock(A=5, B=5)
    id_ = ids.new_id()
    held = warehouse.reserve(id_, ("A", 2))

    again = warehouse.reserve(id_, ("A", 2))

    assert (again.status, again.expires_at) == (ReservationStatus.HELD, held.expires_at)
    assert warehouse.balance("A") == (5, 2)
    for lines in ([("A", 3)], [("A", 2), ("B", 1)]):
        with pytest.raises(IdempotencyKeyReused):
            warehouse.reserve(id_, *lines)


def test_the_same_reservation_twice_in_one_batch_is_one(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    command = ReserveStock(ids.new_id(), {"A": 2}, 60)

    warehouse.ask_all(command, command)

    assert warehouse.balance("A") == (5, 2)


def test_all_lines_are_held_or_none_and_the_shortage_is_told(warehouse: Warehouse) -> None:
    warehouse.stock(A=5, B=1)
    id_ = ids.new_id()

    with pytest.raises(StockInsufficient) as refused:
        warehouse.reserve(id_, ("A", 2), ("B", 2))

    [detail] = refused.value.details
    assert detail == pb.InsufficientStock(shortages=[pb.Shortage(sku="B", requested=2, available=1)])
    assert (refused.value.code, refused.value.status) == ("insufficient_stock", "ABORTED")
    assert warehouse.balance("A") == (5, 0)
    warehouse.receive("B", 1)
    assert warehouse.reserve(id_, ("A", 2), ("B", 2)).status is ReservationStatus.HELD


def test_an_unknown_sku_is_named(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)

    with pytest.raises(UnknownSku, match="NOWHERE"):
        warehouse.reserve(ids.new_id(), ("A", 1), ("NOWHERE", 1))

    assert warehouse.balance("A") == (5, 0)


def test_commit_and_release_may_be_said_twice_but_not_both(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    sold, released = ids.new_id(), ids.new_id()
    for id_ in (sold, released):
        warehouse.reserve(id_, ("A", 1))

    for _ in range(2):
        assert warehouse.ask(CommitReservation(sold)).status is ReservationStatus.COMMITTED
        assert warehouse.ask(ReleaseReservation(released)).status is ReservationStatus.RELEASED

    with pytest.raises(ReservationNotHeld):
        warehouse.ask(CommitReservation(released))
    with pytest.raises(ReservationNotHeld):
        warehouse.ask(ReleaseReservation(sold))
    assert warehouse.balance("A") == (4, 0)


def test_a_release_that_overtakes_its_request_closes_it(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    id_ = ids.new_id()

    warehouse.ask(ReleaseReservation(id_))

    assert warehouse.reserve(id_, ("A", 1)).status is ReservationStatus.RELEASED
    assert warehouse.balance("A") == (5, 0)


def test_what_was_never_reserved_cannot_be_sold(warehouse: Warehouse) -> None:
    with pytest.raises(NotFound):
        warehouse.ask(CommitReservation(ids.new_id()))


def test_the_reservation_of_an_order_is_none_of_a_callers_business(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 2)))

    with pytest.raises(NotFound):
        warehouse.ask(CommitReservation(order))
    with pytest.raises(NotFound):
        warehouse.ask(ReleaseReservation(order))
    with pytest.raises(IdempotencyKeyReused):
        warehouse.reserve(order, ("A", 2))
    assert warehouse.balance("A") == (5, 2)


def test_what_a_caller_holds_past_its_time_is_freed_and_what_an_order_holds_is_not(warehouse: Warehouse) -> None:
    # Simpler: free whatever is past its time. Then an order whose charge is still unknown loses its goods.
    warehouse.stock(A=5)
    order, caller = ids.new_id(), ids.new_id()
    warehouse.apply(placed(order, ("A", 2)))
    warehouse.reserve(caller, ("A", 1))
    _let_time_pass(warehouse)

    assert (_sweep(warehouse), _sweep(warehouse)) == (1, 0)

    assert (warehouse.status(order), warehouse.status(caller)) == ("HELD", "RELEASED")
    assert warehouse.balance("A") == (5, 2)


def test_what_is_freed_goes_to_those_who_wait(warehouse: Warehouse) -> None:
    warehouse.put("S", supplier="acme")
    warehouse.receive("S", 1)
    caller, order = ids.new_id(), ids.new_id()
    warehouse.reserve(caller, ("S", 1))
    warehouse.apply(placed(order, ("S", 1), backorder=True))
    _let_time_pass(warehouse)

    _sweep(warehouse)

    assert warehouse.told(order) == ["StockShortage", "StockReserved"]


def test_what_is_past_its_time_cannot_be_sold_even_before_it_is_swept(warehouse: Warehouse) -> None:
    warehouse.stock(A=5)
    id_ = ids.new_id()
    warehouse.reserve(id_, ("A", 1))
    _let_time_pass(warehouse)

    with pytest.raises(ReservationNotHeld):
        warehouse.ask(CommitReservation(id_))


def test_a_reservation_that_is_sold_while_the_sweep_waits_for_it_stays_sold(
    warehouse: Warehouse, other: Warehouse
) -> None:
    # Simpler: read what is past its time, then free it. In between it was sold.
    warehouse.stock(A=5)
    id_ = ids.new_id()
    warehouse.reserve(id_, ("A", 1), seconds=60)
    sql = "UPDATE reservations SET sweep_at = now() - interval '1 second'"
    warehouse.database.write(lambda connection: run_sql(connection, sql))

    with other.before_statement("FOR UPDATE OF stock", lambda: warehouse.ask(CommitReservation(id_))):
        _sweep(other)

    assert warehouse.status(id_) == "COMMITTED"
    assert warehouse.balance("A") == (4, 0)
