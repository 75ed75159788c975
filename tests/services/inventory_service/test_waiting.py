"""Orders that wait for goods: they hold what there is, and get what comes first."""

import pytest

from chassis import ids
from inventory_service.commands import ReleaseReservation
from inventory_service.domain import ChangeKind, ChangeRequest
from protos.orders.events.v1.events_pb2 import OrderCancelling, OrderCompleted
from tests.services.inventory_service.warehouse import Warehouse, placed


@pytest.fixture
def waiting(warehouse: Warehouse) -> str:
    """An order that waits for two of three pieces of S, and holds one of A."""
    warehouse.stock(A=1)
    warehouse.put("S", supplier="acme")
    warehouse.receive("S", 1)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 1), ("S", 3), backorder=True))
    return order


def test_what_there_is_is_held_and_what_is_missing_is_told(warehouse: Warehouse, waiting: str) -> None:
    [shortage] = warehouse.facts(waiting)

    [short] = shortage.shortages
    assert (short.sku, short.requested, short.available, short.held) == ("S", 3, 1, 1)
    assert (short.supplier, short.supplier_scenario) == ("acme", "ok")
    assert (warehouse.balance("A"), warehouse.balance("S")) == ((1, 1), (1, 1))
    assert warehouse.status(waiting) == "WAITING"


def test_nothing_is_held_when_one_short_line_has_no_supplier(warehouse: Warehouse) -> None:
    warehouse.stock(A=1)
    warehouse.put("S", supplier="acme")
    order = ids.new_id()

    warehouse.apply(placed(order, ("A", 2), ("S", 1), backorder=True))

    assert warehouse.told(order) == ["StockRejected"]
    assert warehouse.balance("A") == (1, 0)


def test_goods_come_in_part_and_the_order_is_whole_with_the_last_piece(warehouse: Warehouse, waiting: str) -> None:
    warehouse.receive("S", 1)
    assert warehouse.told(waiting) == ["StockShortage"]
    warehouse.receive("S", 5)

    assert warehouse.told(waiting) == ["StockShortage", "StockReserved"]
    assert warehouse.balance("S") == (7, 3)
    warehouse.apply(OrderCompleted(order_id=waiting))
    assert warehouse.balance("S") == (4, 0)
    assert not warehouse.unbalanced()


def test_one_receipt_serves_several_orders_oldest_first(warehouse: Warehouse, waiting: str) -> None:
    second, third = ids.new_id(), ids.new_id()
    warehouse.apply(placed(third, ("S", 1), backorder=True))
    warehouse.apply(placed(second, ("S", 1), backorder=True))

    warehouse.receive("S", 3)

    assert [warehouse.status(order) for order in (waiting, second, third)] == ["HELD", "HELD", "WAITING"]
    rows = warehouse.rows("SELECT order_id, reserved_delta FROM movements WHERE reason <> '' ORDER BY id")
    assert [tuple(row) for row in rows] == [(waiting, 2), (second, 1)]


def test_a_counted_surplus_and_a_callers_release_serve_those_who_wait(warehouse: Warehouse, waiting: str) -> None:
    caller = ids.new_id()
    warehouse.change(ChangeRequest(ChangeKind.ADJUSTMENT, "S", 1, "found one", "k"))
    assert warehouse.status(waiting) == "WAITING"
    warehouse.stock(B=1)
    warehouse.put("T", supplier="acme")
    warehouse.receive("T", 1)
    warehouse.reserve(caller, ("T", 1))
    other = ids.new_id()
    warehouse.apply(placed(other, ("T", 1), backorder=True))

    warehouse.ask(ReleaseReservation(caller))
    warehouse.change(ChangeRequest(ChangeKind.ADJUSTMENT, "S", 1, "found another", "l"))

    assert (warehouse.status(waiting), warehouse.status(other)) == ("HELD", "HELD")
    assert warehouse.balance("T") == (1, 1)


def test_what_one_waiting_order_gives_back_goes_to_the_next(warehouse: Warehouse, waiting: str) -> None:
    second = ids.new_id()
    warehouse.apply(placed(second, ("S", 1), backorder=True))

    warehouse.apply(OrderCancelling(order_id=waiting))

    assert warehouse.told(second) == ["StockShortage", "StockReserved"]
    assert (warehouse.balance("A"), warehouse.balance("S")) == ((1, 0), (1, 1))
    assert warehouse.rows("SELECT * FROM waiting") == []


def test_what_is_given_back_and_asked_for_in_one_poll_goes_to_those_who_wait(warehouse: Warehouse) -> None:
    warehouse.put("S", supplier="acme")
    warehouse.receive("S", 1)
    holder, patient, late = ids.new_id(), ids.new_id(), ids.new_id()
    warehouse.apply(placed(holder, ("S", 1)), placed(patient, ("S", 1), backorder=True))

    warehouse.apply(OrderCancelling(order_id=holder), placed(late, ("S", 1)))

    assert (warehouse.told(patient)[-1], warehouse.told(late)) == ("StockReserved", ["StockRejected"])


def test_a_waiting_order_that_asks_again_is_told_the_recorded_shortage(warehouse: Warehouse, waiting: str) -> None:
    warehouse.receive("S", 1)

    warehouse.apply(placed(waiting, ("A", 1), ("S", 3), backorder=True))

    first, again = warehouse.facts(waiting)
    assert again == first
    assert warehouse.balance("S") == (2, 2)


def test_the_fact_that_an_order_is_whole_goes_out_under_the_trace_of_the_order(
    warehouse: Warehouse, waiting: str
) -> None:
    warehouse.receive("S", 2)

    [row] = warehouse.rows("SELECT traceparent FROM reservations WHERE id = :id", id=waiting)
    payloads = warehouse.rows("SELECT payload FROM outbox WHERE key = :id ORDER BY id", id=waiting)
    assert all(row.traceparent.encode() in bytes(payload[0]) for payload in payloads)


def test_who_waits_on_as_before_is_not_written_again(warehouse: Warehouse, waiting: str) -> None:
    """Where many wait for the same goods, each delivery else would rewrite all of them."""
    second = ids.new_id()
    warehouse.apply(placed(second, ("S", 1), backorder=True))
    sql = "SELECT xmin::text, ctid::text FROM waiting WHERE reservation_id = CAST(:id AS uuid)"
    before = warehouse.rows(sql, id=second)

    warehouse.receive("S", 1)

    assert warehouse.rows("SELECT missing FROM waiting ORDER BY reservation_id") == [(1,), (1,)]
    assert warehouse.rows(sql, id=second) == before != []
