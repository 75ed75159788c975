"""Figures on a real Postgres: completed orders by the UTC day they were placed, net of refunds."""

from datetime import UTC, date, datetime, timedelta

from order_service.reports import queries
from order_service.reports.domain import Kpis
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import Shop

DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def _completed(shop: Shop, at: datetime, customer: str = "c-17", pieces: int = 1) -> str:
    order_id = shop.place(("A", pieces), customer=customer, placed_at=at)
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    return order_id


def _kpis(shop: Shop, first: date = DAY, last: date = DAY) -> Kpis:
    return shop.database.read(lambda connection: queries.kpis(connection, first, last))


def test_a_day_without_orders_comes_to_nothing(shop: Shop) -> None:
    kpis = _kpis(shop)
    assert (kpis.revenue_minor, kpis.orders, kpis.unique_customers, kpis.average_minor) == (0, 0, 0, 0)


def test_only_completed_orders_count(shop: Shop) -> None:
    _completed(shop, MIDNIGHT)
    shop.place(("A", 9), placed_at=MIDNIGHT)
    assert (_kpis(shop).orders, _kpis(shop).revenue_minor) == (1, 255)


def test_a_day_begins_at_midnight_utc_and_ends_before_the_next(shop: Shop) -> None:
    for at in (timedelta(microseconds=-1), timedelta(0), timedelta(days=1, microseconds=-1), timedelta(days=1)):
        _completed(shop, MIDNIGHT + at)
    assert _kpis(shop).orders == 2
    assert _kpis(shop, DAY - timedelta(1), DAY + timedelta(1)).orders == 4


def test_customers_are_counted_once(shop: Shop) -> None:
    for customer in ("a", "b", "a"):
        _completed(shop, MIDNIGHT, customer)
    assert (_kpis(shop).orders, _kpis(shop).unique_customers) == (3, 2)


def test_refunds_lower_the_revenue_and_not_the_number_of_orders(shop: Shop) -> None:
    _completed(shop, MIDNIGHT)
    refunded = _completed(shop, MIDNIGHT, pieces=2)
    shop.run("UPDATE orders SET refunded_minor = 500 WHERE id = CAST(:id AS uuid)", id=refunded)
    kpis = _kpis(shop)
    assert (kpis.revenue_minor, kpis.orders, kpis.average_minor) == (265, 2, 133)
