"""What becomes of stock when orders are placed, paid and undone: once, however often and in whatever order told."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from chassis import ids
from chassis.database import run_sql
from inventory_service.domain import Offer, Supply
from protos.orders.events.v1.events_pb2 import OrderCancelled, OrderCancelling, OrderCompensating, OrderCompleted
from tests.services.inventory_service.warehouse import Warehouse, placed


def test_a_poll_holds_sells_and_gives_back_in_one_go(warehouse: Warehouse) -> None:
    warehouse.stock(A=10, B=10)
    sold, undone, held = (ids.new_id() for _ in range(3))

    warehouse.apply(
        placed(sold, ("A", 2), ("B", 1)),
        placed(undone, ("A", 3)),
        OrderCompleted(order_id=sold),
        placed(held, ("B", 4)),
        OrderCompensating(order_id=undone),
    )

    assert (warehouse.balance("A"), warehouse.balance("B")) == ((8, 0), (9, 4))
    assert warehouse.told(sold) == ["StockReserved"]
    assert warehouse.told(undone) == ["StockReserved", "StockReleased"]
    assert warehouse.movements("A") == [
        ("receipt", 10, 0), ("reservation", 0, 2), ("reservation", 0, 3), ("sale", -2, -2), ("release", 0, -3),
    ]  # fmt: skip
    assert not warehouse.unbalanced()


def test_all_lines_are_held_or_none(warehouse: Warehouse) -> None:
    warehouse.stock(A=10, B=1)
    order = ids.new_id()

    warehouse.apply(placed(order, ("A", 2), ("B", 2)))

    assert (warehouse.balance("A"), warehouse.balance("B")) == ((10, 0), (1, 0))
    [rejected] = warehouse.facts(order)
    assert [(short.sku, short.requested, short.available) for short in rejected.shortages] == [("B", 2, 1)]


def test_lines_of_one_sku_count_together(warehouse: Warehouse) -> None:
    warehouse.stock(A=4)
    fits, too_much = ids.new_id(), ids.new_id()

    warehouse.apply(placed(too_much, ("A", 3), ("A", 2)), placed(fits, ("A", 2), ("A", 2)))

    assert (warehouse.told(too_much), warehouse.told(fits)) == (["StockRejected"], ["StockReserved"])
    assert warehouse.movements("A") == [("receipt", 4, 0), ("reservation", 0, 4)]


def test_a_record_that_comes_again_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)
    order = ids.new_id()
    records = [warehouse.sealed(placed(order, ("A", 2))), warehouse.sealed(OrderCompleted(order_id=order))]

    for _ in range(3):
        warehouse.deliver(*records)

    assert warehouse.balance("A") == (8, 0)
    assert warehouse.told(order) == ["StockReserved"]
    assert not warehouse.letters()


@pytest.mark.parametrize("further", [[], [OrderCompleted]])
def test_an_order_that_asks_again_with_a_new_event_gets_the_recorded_answer(
    warehouse: Warehouse, further: Sequence[type[OrderCompleted]]
) -> None:
    warehouse.stock(A=10)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 2)), *(fact(order_id=order) for fact in further))
    before = warehouse.balance("A")

    warehouse.apply(placed(order, ("A", 2)))

    first, again = warehouse.facts(order)
    assert again == first
    assert warehouse.balance("A") == before


def test_a_rejected_order_that_asks_again_is_rejected_with_what_was_short_then(warehouse: Warehouse) -> None:
    warehouse.stock(A=1)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 2)))
    warehouse.receive("A", 10)

    warehouse.apply(placed(order, ("A", 2)))

    first, again = warehouse.facts(order)
    assert again == first
    assert warehouse.balance("A") == (11, 0)


@pytest.mark.parametrize("undo", [OrderCompensating, OrderCancelling])
@pytest.mark.parametrize("polls", [1, 2])
def test_a_release_that_overtakes_its_order_closes_it(warehouse: Warehouse, undo: type, polls: int) -> None:
    # Simpler: nothing is held, so there is nothing to do. Then the order that comes later holds stock for ever.
    warehouse.stock(A=10)
    order = ids.new_id()
    facts = [undo(order_id=order), placed(order, ("A", 2))]

    for batch in (facts,) if polls == 1 else ([fact] for fact in facts):
        warehouse.apply(*batch)

    assert warehouse.balance("A") == (10, 0)
    assert warehouse.told(order) == ["StockReleased"]
    assert warehouse.status(order) == "RELEASED"
    assert not warehouse.letters()


def test_every_release_is_acknowledged(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)
    order = ids.new_id()
    warehouse.apply(placed(order, ("A", 2)))

    for _ in range(3):
        warehouse.apply(OrderCancelling(order_id=order))

    assert warehouse.told(order) == ["StockReserved", *["StockReleased"] * 3]
    assert warehouse.movements("A") == [("receipt", 10, 0), ("reservation", 0, 2), ("release", 0, -2)]


def test_a_sale_of_what_is_not_held_is_parked_and_its_neighbours_go_on(warehouse: Warehouse) -> None:
    # Simpler: no reservation, nothing to sell. Then goods leave the shop that the ledger still has.
    warehouse.stock(A=10)
    good, unknown, released = (ids.new_id() for _ in range(3))
    warehouse.apply(placed(good, ("A", 1)), placed(released, ("A", 1)), OrderCompensating(order_id=released))

    warehouse.apply(*(OrderCompleted(order_id=order) for order in (unknown, good, released)))

    assert warehouse.balance("A") == (9, 0)
    assert [key for key, _ in warehouse.letters()] == [unknown, released]
    assert all("NothingHeld" in error for _, error in warehouse.letters())


def test_a_parked_sale_goes_through_when_its_order_was_applied_after_all(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)
    order = ids.new_id()
    warehouse.apply(OrderCompleted(order_id=order))
    warehouse.apply(placed(order, ("A", 1)))  # waits behind the letter of its key
    assert warehouse.balance("A") == (10, 0)

    warehouse.database.write(lambda connection: _as_if_written_later(connection, "OrderCompleted"))
    while warehouse.folding.retry("orders.events", order):
        continue

    assert warehouse.balance("A") == (9, 0)
    assert not warehouse.letters()


def _as_if_written_later(connection: Connection, name: str) -> None:
    run_sql(connection, "UPDATE dead_letters SET partition = 1 WHERE type LIKE :name", name=f"%.{name}")


def test_facts_that_do_not_concern_the_shelf_are_ignored(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)

    warehouse.apply(OrderCancelled(order_id=ids.new_id()))

    assert not warehouse.letters()
    assert warehouse.movements("A") == [("receipt", 10, 0)]


def test_an_order_for_a_sku_that_is_not_in_the_catalogue_is_rejected(warehouse: Warehouse) -> None:
    order = ids.new_id()

    warehouse.apply(placed(order, ('quo"ted \\ {sku}', 1), backorder=True))

    assert warehouse.told(order) == ["StockRejected"]


def test_a_withdrawn_product_is_still_held_for_running_orders(warehouse: Warehouse) -> None:
    warehouse.stock(A=10)
    [product] = warehouse.put_offers(Offer("A", "a A", 255, "GBP", Supply.STOCK, active=False))
    order = ids.new_id()

    warehouse.apply(placed(order, ("A", 1)))

    assert not product.offer.active
    assert warehouse.told(order) == ["StockReserved"]
