"""What is measured of supplier orders: how many are open, for how long, and how long the others took."""

from collections.abc import Callable

from prometheus_client import REGISTRY

from chassis import ids
from supplier_service.domain import Delivered
from supplier_service.jobs import count_open
from tests.services.supplier_service.desk import Desk, goods_requested
from tests.waiting import until


def measured(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"suppliers_{name}", labels) or 0.0


def test_open_supplier_orders_are_counted_by_status_with_the_age_of_the_oldest(a_desk: Callable[..., Desk]) -> None:
    desk, idle = a_desk(check_seconds=60), a_desk(is_open=False)
    accepted = ids.new_id()
    desk.hear(goods_requested(accepted))
    assert until(lambda: desk.statuses(accepted) == {"85123A": "ACCEPTED"})
    desk.close()
    idle.hear(goods_requested(ids.new_id()), goods_requested(ids.new_id()))

    count_open(idle.database).work()

    assert measured("open_supplier_orders", status="REQUESTED") == 2
    assert measured("open_supplier_orders", status="ACCEPTED") == 1
    assert measured("oldest_open_supplier_order_seconds", status="ACCEPTED") > 0


def test_the_time_to_delivery_is_measured_once_for_each(a_desk: Callable[..., Desk]) -> None:
    desk, order = a_desk(check_seconds=60), ids.new_id()
    before = measured("supplier_order_duration_seconds_count", outcome="delivered")
    desk.hear(goods_requested(order))
    assert until(lambda: desk.statuses(order) == {"85123A": "ACCEPTED"})

    desk.news(*[(desk.reference(order), Delivered())] * 3)

    assert measured("supplier_order_duration_seconds_count", outcome="delivered") == before + 1
