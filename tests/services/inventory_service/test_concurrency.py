"""Two writers at once: each test plays the interleaving that a simpler rule would lose by."""

import random
from collections import Counter
from collections.abc import Sequence

from chassis import ids
from chassis.database import rows_of
from inventory_service.domain import MovementKind, Policy
from protos.orders.events.v1.events_pb2 import OrderCancelling, OrderCompleted
from tests.services.inventory_service.warehouse import TRACE, Warehouse, placed


class Transaction:
    """A transaction of an instance that holds its locks until it is told to go on."""

    def __init__(self, warehouse: Warehouse, *, skus: Sequence[str] = (), ids: Sequence[str] = ()) -> None:
        self._stockrooms = warehouse.stockrooms
        self._opened = warehouse.database.begin()
        self._connection = self._opened.__enter__()
        self.room = self._stockrooms.open(self._connection, skus=list(skus), ids=list(ids), may_free=True)

    def write(self) -> None:
        """Write what became of the room; uncommitted."""
        self._stockrooms.save(self._connection, self.room)

    def commit(self) -> None:
        """Let the others go on."""
        self._opened.__exit__(None, None, None)


def receiving(warehouse: Warehouse, sku: str) -> Transaction:
    """A receipt of one piece that is written, and not committed."""
    transaction = Transaction(warehouse, skus=[sku])
    transaction.room.change(sku, MovementKind.RECEIPT, 1, ids.new_id(), "")
    transaction.write()
    return transaction


def test_of_two_orders_for_the_last_piece_one_gets_it(warehouse: Warehouse, other: Warehouse) -> None:
    # Simpler: look, then take. Both look before either has taken.
    warehouse.stock(A=1)
    first, second = ids.new_id(), ids.new_id()
    ahead = Transaction(warehouse, skus=["A"], ids=[first])
    behind = other.beside(other.apply, placed(second, ("A", 1)))
    warehouse.until_blocked()

    ahead.room.place(first, {"A": 1}, Policy.REJECT, TRACE)
    ahead.write()
    ahead.commit()
    behind.result(10)

    assert (warehouse.told(first), warehouse.told(second)) == (["StockReserved"], ["StockRejected"])
    assert warehouse.balance("A") == (1, 1)


def test_many_at_one_hot_sku_sell_exactly_what_there_is(warehouse: Warehouse, other: Warehouse) -> None:
    warehouse.stock(HOT=40, B=1000)
    orders = [ids.new_id() for _ in range(64)]

    def half(instance: Warehouse, mine: list[str]) -> None:
        for start in range(0, len(mine), 4):
            instance.apply(*(placed(order, ("HOT", 1), ("B", 2)) for order in mine[start : start + 4]))

    for done in [warehouse.beside(half, warehouse, orders[::2]), other.beside(half, other, orders[1::2])]:
        done.result(30)

    answers = Counter(name for order in orders for name in warehouse.told(order))
    assert answers == {"StockReserved": 40, "StockRejected": 24}
    assert (warehouse.balance("HOT"), warehouse.balance("B")) == ((40, 40), (1000, 80))
    assert not warehouse.unbalanced()


def test_stock_is_locked_by_sku_and_reservations_by_order_id_after_it(warehouse: Warehouse, other: Warehouse) -> None:
    # Simpler: lock as the lines come. One has A and wants C, the other has C and wants A.
    warehouse.stock(A=9, B=9, C=9)
    orders = [ids.new_id() for _ in range(3)]
    warehouse.apply(*(placed(order, ("C", 1), ("A", 1)) for order in orders))
    shelf = Transaction(warehouse, skus=["B"])
    behind = other.beside(other.apply, placed(ids.new_id(), ("C", 1), ("B", 1), ("A", 1)))
    warehouse.until_blocked()
    assert _unlocked(warehouse, "stock", "sku") == ["C"]
    shelf.commit()
    behind.result(10)

    with warehouse.database.begin() as somebody:
        rows_of(somebody, "SELECT 1 FROM reservations WHERE id = :id FOR UPDATE", id=orders[1])
        behind = other.beside(other.apply, *(OrderCompleted(order_id=order) for order in reversed(orders)))
        warehouse.until_blocked()
        assert _unlocked(warehouse, "stock", "sku") == ["B"]
        assert orders[2] in _unlocked(warehouse, "reservations", "id")
        assert orders[0] not in _unlocked(warehouse, "reservations", "id")
    behind.result(10)

    assert not warehouse.letters()


def _unlocked(warehouse: Warehouse, table: str, key: str) -> list[str]:
    return [row[0] for row in warehouse.rows(f"SELECT {key} FROM {table} ORDER BY {key} FOR UPDATE SKIP LOCKED")]


def test_batches_that_touch_the_same_skus_in_any_order_never_deadlock(warehouse: Warehouse, other: Warehouse) -> None:
    skus = ("A", "B", "C", "D", "E")
    warehouse.stock(**dict.fromkeys(skus, 10_000))
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = warehouse.rows(deadlocks)[0].deadlocks

    def work(instance: Warehouse, seed: int) -> None:
        chance = random.Random(seed)
        undone: list[str] = []
        for _ in range(25):
            orders = [ids.new_id() for _ in range(6)]
            lines = [(sku, 1) for sku in chance.sample(skus, 3)]
            instance.apply(
                *(placed(order, *lines) for order in orders),
                *(OrderCompleted(order_id=order) for order in orders[:3]),
                *(OrderCancelling(order_id=order) for order in undone),
            )
            instance.receive(chance.choice(skus), 1)
            undone = orders[3:]

    for done in [warehouse.beside(work, warehouse, 1), other.beside(work, other, 2)]:
        done.result(60)

    assert warehouse.rows(deadlocks)[0].deadlocks == before
    assert not warehouse.letters()
    assert not warehouse.unbalanced()


def test_a_release_and_its_order_at_once_leave_nothing_held(warehouse: Warehouse, other: Warehouse) -> None:
    # Simpler: insert what was not found. Neither finds the other, and the later insert fails or is lost.
    warehouse.stock(A=5)
    order = ids.new_id()
    ahead = Transaction(warehouse, ids=[order])
    ahead.room.release_order(order, TRACE)
    ahead.write()
    behind = other.beside(other.apply, placed(order, ("A", 2)))
    warehouse.until_blocked()

    ahead.commit()
    behind.result(10)

    assert warehouse.balance("A") == (5, 0)
    assert warehouse.told(order) == ["StockReleased"]
    assert not warehouse.letters()


def test_an_order_and_its_release_at_once_leave_nothing_held(warehouse: Warehouse, other: Warehouse) -> None:
    warehouse.stock(A=5)
    order = ids.new_id()
    ahead = Transaction(warehouse, skus=["A"], ids=[order])
    ahead.room.place(order, {"A": 2}, Policy.REJECT, TRACE)
    ahead.write()
    behind = other.beside(other.apply, OrderCancelling(order_id=order))
    warehouse.until_blocked()

    ahead.commit()
    behind.result(10)

    assert warehouse.balance("A") == (5, 0)
    assert warehouse.told(order) == ["StockReserved", "StockReleased"]
    assert not warehouse.letters()


def test_a_reservation_that_comes_to_be_between_two_locks_is_locked_with_its_shelves(
    warehouse: Warehouse, other: Warehouse
) -> None:
    # Simpler: learn the SKUs, lock them, go on. The reservation came after the learning, its shelves are not locked.
    warehouse.stock(A=5)
    order = ids.new_id()

    with other.before_statement("ORDER BY id FOR UPDATE", lambda: warehouse.apply(placed(order, ("A", 2)))):
        other.apply(OrderCompleted(order_id=order))

    assert warehouse.balance("A") == (3, 0)
    assert warehouse.movements("A")[1:] == [("reservation", 0, 2), ("sale", -2, -2)]
    assert not warehouse.letters()


def test_two_receipts_for_two_skus_of_one_order_at_once_make_it_whole(warehouse: Warehouse, other: Warehouse) -> None:
    # Simpler: the receipt that locked its own SKU looks whether the other is still missing. Each sees it missing.
    warehouse.put("S", "T", supplier="acme")
    order = ids.new_id()
    warehouse.apply(placed(order, ("S", 1), ("T", 1), backorder=True))
    holding = receiving(warehouse, "S")
    behind = other.beside(other.receive, "T", 1)
    warehouse.until_blocked()

    holding.commit()
    behind.result(10)

    assert warehouse.status(order) == "HELD"
    assert warehouse.told(order) == ["StockShortage", "StockReserved"]
    assert (warehouse.balance("S"), warehouse.balance("T")) == ((1, 1), (1, 1))
    assert warehouse.rows("SELECT * FROM waiting") == []


def test_goods_for_a_waiting_order_that_ends_at_the_same_moment_are_free(
    warehouse: Warehouse, other: Warehouse
) -> None:
    warehouse.put("S", supplier="acme")
    order = ids.new_id()
    warehouse.apply(placed(order, ("S", 2), backorder=True))
    holding = receiving(warehouse, "S")
    behind = other.beside(other.apply, OrderCancelling(order_id=order))
    warehouse.until_blocked()

    holding.commit()
    behind.result(10)

    assert warehouse.balance("S") == (1, 0)
    assert warehouse.status(order) == "RELEASED"
    assert not warehouse.unbalanced()


def test_two_equal_receipts_at_once_are_one(warehouse: Warehouse, other: Warehouse) -> None:
    # Simpler: look for the key, then lock. Neither finds it.
    warehouse.stock(A=0)
    keys = [f"k-{number}" for number in range(10)]

    def receive(instance: Warehouse) -> int:
        return sum(instance.receive("A", 3, key).repeated for key in keys)

    repeats = [done.result(20) for done in (warehouse.beside(receive, warehouse), other.beside(receive, other))]

    assert sum(repeats) == len(keys)
    assert warehouse.balance("A") == (30, 0)


def test_a_new_order_finds_nothing_of_what_a_receipt_gave_to_those_who_wait(
    warehouse: Warehouse, other: Warehouse
) -> None:
    # Simpler: put the goods on the shelf, then serve. Who comes in between overtakes.
    warehouse.put("S", supplier="acme")
    waiting, late = ids.new_id(), ids.new_id()
    warehouse.apply(placed(waiting, ("S", 1), backorder=True))
    holding = receiving(warehouse, "S")
    behind = other.beside(other.apply, placed(late, ("S", 1)))
    warehouse.until_blocked()

    holding.commit()
    behind.result(10)

    assert (warehouse.told(waiting)[-1], warehouse.told(late)) == ("StockReserved", ["StockRejected"])


def test_a_record_that_two_instances_apply_at_once_is_applied_once(warehouse: Warehouse, other: Warehouse) -> None:
    warehouse.stock(A=50)
    records = [warehouse.sealed(placed(ids.new_id(), ("A", 1))) for _ in range(10)]

    applied = [instance.beside(instance.deliver, *records) for instance in (warehouse, other)]
    for done in applied:
        done.result(20)

    assert warehouse.balance("A") == (50, 10)
