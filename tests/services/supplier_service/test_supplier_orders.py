"""Supplier orders on real Postgres: requested once, followed to their end, cancelled when nobody needs them."""

from collections.abc import Callable

import pytest

from chassis import ids
from chassis.database import run_sql
from chassis.errors import ValidationFailed
from protos.suppliers.events.v1 import events_pb2 as events
from supplier_service.queries import SupplierOrderNotFound, get_supplier_order, list_supplier_orders
from tests.services.supplier_service.desk import Desk, goods_requested
from tests.waiting import until


@pytest.mark.parametrize(
    ("scenario", "facts", "entry"),
    [
        ("ok", ["Accepted", "Delivered"], ("delivered", 1, 1)),
        ("delayed_then_ok:2", ["Accepted", "Delayed", "Delayed", "Delivered"], ("delivered", 1, 3)),
        ("delayed_forever", ["Accepted", "Delayed", "Delayed", "Failed"], ("cancelled", 1, 3)),
        ("fail", ["Accepted", "Failed"], ("accepted", 1, 1)),
        ("reject", ["Rejected"], ("rejected", 1, 0)),
        ("error_then_ok:1", ["Accepted", "Delivered"], ("delivered", 2, 1)),
    ],
)
def test_each_scenario_ends_as_it_is_named(
    desk: Desk, scenario: str, facts: list[str], entry: tuple[str, int, int]
) -> None:
    order = ids.new_id()

    desk.hear(goods_requested(order, scenario=scenario))

    assert until(lambda: desk.open_calls() == 0)
    assert desk.told(order) == facts
    assert desk.entries() == [entry]


def test_delivered_goods_name_order_sku_and_quantity(desk: Desk) -> None:
    order = ids.new_id()
    desk.hear(goods_requested(order))
    assert until(lambda: desk.open_calls() == 0)

    delivered = desk.facts(order)[-1]

    assert isinstance(delivered, events.SupplierOrderDelivered)
    assert (delivered.order_id, delivered.sku, delivered.quantity) == (order, "85123A", 3)


def test_an_order_has_one_supplier_order_for_each_sku_however_often_it_asks(desk: Desk) -> None:
    order = ids.new_id()
    records = desk.hear(goods_requested(order, "A"), goods_requested(order, "B"), goods_requested(order, "A"))
    desk.hear_again(records)
    assert until(lambda: desk.open_calls() == 0)

    desk.hear(goods_requested(order, "A"))

    assert desk.statuses(order) == {"A": "DELIVERED", "B": "DELIVERED"}
    assert desk.told(order).count("Delivered") == 3
    assert desk.entries() == [("delivered", 1, 1)] * 2


def test_a_cancel_lets_go_of_what_is_open_and_of_what_is_asked_for_later(a_desk: Callable[..., Desk]) -> None:
    desk, order = a_desk(check_seconds=60), ids.new_id()
    desk.hear(goods_requested(order, "A"))
    assert until(lambda: desk.statuses(order) == {"A": "ACCEPTED"})

    desk.hear(events.SupplierOrderCancelRequested(order_id=order), goods_requested(order, "B"))

    assert until(lambda: desk.statuses(order) == {"A": "CANCELLED", "B": "CANCELLED"})
    assert sorted(desk.told(order)) == ["Accepted", "Cancelled", "Cancelled"]
    assert desk.entries() == [("cancelled", 1, 0)]


def test_what_is_not_needed_any_more_is_not_checked_again(a_desk: Callable[..., Desk]) -> None:
    desk, order = a_desk(check_seconds=60), ids.new_id()
    desk.hear(goods_requested(order))
    assert until(lambda: desk.statuses(order) == {"85123A": "ACCEPTED"})
    desk.deliver_unheard()

    desk.hear(events.SupplierOrderCancelRequested(order_id=order))

    assert until(lambda: desk.statuses(order) == {"85123A": "NOT_NEEDED"})
    assert desk.open_calls() == 0
    assert desk.told(order) == ["Accepted", "Cancelled"]


def test_a_cancel_that_overtakes_its_request_is_found_by_it(desk: Desk) -> None:
    order = ids.new_id()
    desk.hear(events.SupplierOrderCancelRequested(order_id=order))

    desk.hear(goods_requested(order))

    assert desk.told(order) == ["Cancelled"]
    assert desk.entries() == []


def test_a_request_whose_caller_died_is_made_again_under_its_key(a_desk: Callable[..., Desk]) -> None:
    order = ids.new_id()
    dead = a_desk(is_open=False)
    dead.hear(goods_requested(order))
    dead.database.write(
        lambda c: run_sql(c, "UPDATE calls SET leased_until = clock_timestamp(), lease_owner = 'dead'") and None
    )

    survivor = a_desk()

    assert until(lambda: survivor.open_calls() == 0)
    assert survivor.told(order) == ["Accepted", "Delivered"]


def test_a_cancel_that_an_earlier_release_wrote_without_the_suppliers_name_is_made(a_desk: Callable[..., Desk]) -> None:
    earlier, order = a_desk(check_seconds=60), ids.new_id()
    earlier.hear(goods_requested(order))
    assert until(lambda: earlier.statuses(order) == {"85123A": "ACCEPTED"})
    earlier.close()
    earlier.hear(events.SupplierOrderCancelRequested(order_id=order))
    earlier.database.write(
        lambda c: (
            run_sql(c, "UPDATE calls SET payload = payload - 'supplier' - 'reference' WHERE kind = 'cancel'") and None
        )
    )

    later = a_desk()

    assert until(lambda: later.statuses(order) == {"85123A": "CANCELLED"})
    assert later.entries() == [("cancelled", 1, 0)]


def test_supplier_orders_are_listed_newest_first_in_pages(desk: Desk) -> None:
    orders = [ids.new_id() for _ in range(5)]
    for order in orders:
        desk.hear(goods_requested(order))

    first, token = desk.database.read(lambda c: list_supplier_orders(c, "", 3, ""))
    second, end = desk.database.read(lambda c: list_supplier_orders(c, "", 3, token))

    assert [shown.supplier_order.order_id for shown in [*first, *second]] == orders[::-1]
    assert end == ""
    found = desk.database.read(lambda c: get_supplier_order(c, first[0].supplier_order.id))
    assert found.supplier_order.order_id == orders[-1]


def test_a_token_of_another_list_and_an_unknown_id_are_refused(desk: Desk) -> None:
    with pytest.raises(ValidationFailed):
        desk.database.read(lambda c: list_supplier_orders(c, "", 3, "second page please"))
    with pytest.raises(SupplierOrderNotFound):
        desk.database.read(lambda c: get_supplier_order(c, ids.new_id()))
