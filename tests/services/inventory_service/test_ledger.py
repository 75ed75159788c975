"""The database itself keeps balances and ledger right, whatever a program does."""

from typing import Final

import psycopg
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import ids
from chassis.database import run_sql
from inventory_service.commands import compare_ledger
from inventory_service.domain import ChangeKind, ChangeRequest
from protos.orders.events.v1.events_pb2 import OrderCancelling, OrderCompleted
from tests.services.inventory_service.warehouse import Warehouse, placed

_INSERT: Final = (
    "INSERT INTO movements (sku, kind, on_hand_delta, reserved_delta, cause_id)"
    " VALUES (:sku, :kind, :on_hand, :reserved, :cause)"
)


@pytest.mark.parametrize(
    "change",
    ["on_hand = -1", "reserved = -1", "reserved = on_hand + 1", "on_hand = reserved - 1"],
)
def test_no_balance_can_be_oversold(warehouse: Warehouse, change: str) -> None:
    warehouse.stock(A=3)

    with pytest.raises(psycopg.Error, match="check constraint"):
        warehouse.database.write(lambda connection: run_sql(connection, f"UPDATE stock SET {change} WHERE sku = 'A'"))


@pytest.mark.parametrize(
    "change",
    ["UPDATE movements SET on_hand_delta = 9", "DELETE FROM movements", "TRUNCATE movements"],
)
def test_no_movement_can_be_changed_or_removed(warehouse: Warehouse, change: str) -> None:
    warehouse.stock(A=3)

    with pytest.raises(psycopg.Error, match="append-only"):
        warehouse.database.write(lambda connection: run_sql(connection, change))

    assert warehouse.movements("A") == [("receipt", 3, 0)]


@pytest.mark.parametrize(
    ("kind", "on_hand", "reserved"),
    [
        ("receipt", -1, 0), ("receipt", 1, 1), ("reservation", 0, -1), ("reservation", 1, 1), ("release", 0, 1),
        ("sale", -1, 0), ("sale", 1, 1), ("restock", -1, 0), ("adjustment", 0, 0), ("adjustment", 1, 1), ("gift", 1, 0),
    ],
)  # fmt: skip
def test_no_movement_can_do_what_its_kind_does_not(
    warehouse: Warehouse, kind: str, on_hand: int, reserved: int
) -> None:
    warehouse.stock(A=3)
    row = {"sku": "A", "kind": kind, "on_hand": on_hand, "reserved": reserved, "cause": ids.new_id()}

    with pytest.raises(psycopg.Error, match="check constraint"):
        warehouse.database.write(lambda connection: run_sql(connection, _INSERT, **row))


def test_no_cause_can_move_a_sku_twice_in_the_same_way(warehouse: Warehouse) -> None:
    warehouse.stock(A=3)
    row = {"sku": "A", "kind": "receipt", "on_hand": 1, "reserved": 0, "cause": ids.new_id()}
    warehouse.database.write(lambda connection: run_sql(connection, _INSERT, **row))

    with pytest.raises(psycopg.Error, match="duplicate key"):
        warehouse.database.write(lambda connection: run_sql(connection, _INSERT, **row))


def test_the_check_of_the_ledger_finds_a_balance_that_was_changed_by_hand(warehouse: Warehouse) -> None:
    warehouse.stock(A=3, B=3)
    assert warehouse.database.write(compare_ledger) == {}

    warehouse.database.write(lambda connection: run_sql(connection, "UPDATE stock SET on_hand = 5 WHERE sku = 'B'"))
    warehouse.receive("A", 4)
    warehouse.receive("B", 4)

    assert warehouse.database.write(compare_ledger) == {"B": 2}
    assert warehouse.database.write(compare_ledger) == {"B": 2}


_ORDER: Final = st.tuples(
    st.lists(st.tuples(st.sampled_from("ABS"), st.integers(1, 4)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([None, OrderCompleted, OrderCancelling]),
)
_POLL: Final = st.tuples(st.lists(_ORDER, max_size=5), st.sampled_from("ABS"), st.integers(1, 6))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_POLL, min_size=1, max_size=4))
def test_whatever_happens_movements_and_reservations_add_up_to_the_balances(
    warehouse: Warehouse, polls: list[tuple[list[tuple[list[tuple[str, int]], bool, type | None]], str, int]]
) -> None:
    warehouse.put("A", "B")
    warehouse.put("S", supplier="acme")
    ends: list[Message] = []

    for orders, sku, pieces in polls:
        facts = [(placed(ids.new_id(), *lines, backorder=backorder), end) for lines, backorder, end in orders]
        warehouse.apply(*ends, *(fact for fact, _ in facts))
        warehouse.change(ChangeRequest(ChangeKind.RECEIPT, sku, pieces, "", ids.new_id()))
        ends = [
            end(order_id=fact.order_id)
            for fact, end in facts
            if end is OrderCancelling or (end is OrderCompleted and warehouse.status(fact.order_id) == "HELD")
        ]

    assert warehouse.unbalanced() == []
    assert warehouse.database.write(compare_ledger) == {}
    assert warehouse.rows(_WRONGLY_HELD) == []
    assert warehouse.rows("SELECT sku FROM waiting JOIN stock USING (sku) WHERE on_hand > reserved") == []
    assert not warehouse.letters()


_WRONGLY_HELD: Final = """
SELECT sku FROM stock LEFT JOIN (
    SELECT line.key AS sku, sum(CAST(line.value AS bigint) - COALESCE(missing, 0)) AS held
    FROM reservations CROSS JOIN jsonb_each_text(lines) AS line
    LEFT JOIN waiting ON waiting.reservation_id = id AND waiting.sku = line.key
    WHERE status IN ('HELD', 'WAITING') GROUP BY line.key
) AS held USING (sku)
WHERE reserved <> COALESCE(held, 0)
"""
