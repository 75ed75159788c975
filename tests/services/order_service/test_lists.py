"""Lists of orders on a real Postgres: whole, in order, by filters, and with tokens that belong to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import ids
from chassis.errors import ValidationFailed
from order_service import commands, queries
from order_service.domain import OrderNotFound, Status
from order_service.queries import Filters
from tests.services.order_service.saga_facts import captured, declined, released, reserved, short
from tests.services.order_service.shop import Shop

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = Filters("", None, None, None)


def _page(shop: Shop, size: int = 100, token: str = "", **filters: Any) -> tuple[list[str], str]:
    wanted = ALL._replace(**filters)
    page, following = shop.database.read(lambda connection: queries.list_orders(connection, wanted, size, token))
    return [shown.standing.id for shown in page], following


def _pages(shop: Shop, size: int, **filters: Any) -> list[str]:
    found, token = _page(shop, size, **filters)
    while token:
        more, token = _page(shop, size, token, **filters)
        found += more
    return found


def test_pages_cover_the_list_once_newest_first_though_many_were_placed_at_the_same_time(shop: Shop) -> None:
    """A token that knew the time alone would skip or repeat those that share it."""
    orders = [shop.place(placed_at=NOON + timedelta(seconds=number // 4)) for number in range(11)]
    expected = sorted(orders, key=lambda order_id: (shop.order(order_id).placed_at, order_id), reverse=True)
    for size in (1, 3, 4, 11, 100):
        assert _pages(shop, size) == expected


def test_what_is_placed_while_somebody_turns_pages_does_not_shift_them(shop: Shop) -> None:
    orders = [shop.place() for _ in range(4)]
    first, token = _page(shop, 2)
    shop.place()
    second, _ = _page(shop, 2, token)
    assert first + second == orders[::-1]


def test_a_full_last_page_has_no_successor(shop: Shop) -> None:
    for _ in range(4):
        shop.place()
    _, token = _page(shop, 2)
    assert _page(shop, 2, token)[1] == ""


def test_filters_hold_together(shop: Shop) -> None:
    mine = [shop.place(customer="me", placed_at=NOON + timedelta(hours=hour)) for hour in range(4)]
    shop.place(customer="you", placed_at=NOON)
    assert _pages(shop, 1, customer_id="me") == mine[::-1]
    after, before = NOON + timedelta(hours=1), NOON + timedelta(hours=3)
    assert _pages(shop, 1, customer_id="me", placed_after=after, placed_before=before) == [mine[2], mine[1]]
    assert _pages(shop, 2, placed_before=NOON) == []
    assert _pages(shop, 2, customer_id="nobody") == []


def test_orders_are_found_by_every_status_that_they_can_have(shop: Shop) -> None:
    in_status = {Status.PENDING: [shop.place(), shop.place()]}
    in_status |= {status: [shop.place()] for status in Status if status is not Status.PENDING}
    told: dict[Status, list[Any]] = {
        Status.AWAITING_RESTOCK: [short],
        Status.RESERVED: [reserved],
        Status.COMPLETED: [reserved, captured],
        Status.COMPENSATING: [reserved, declined],
        Status.FAILED: [reserved, declined, released],
    }
    for status, facts in told.items():
        shop.hear(*(fact(in_status[status][0]) for fact in facts))
    for status in told | {Status.PENDING: []}:
        assert set(_pages(shop, 1, status=status.value)) >= set(in_status[status])
        assert all(shop.status(order_id) == status for order_id in _pages(shop, 1, status=status.value))


def test_orders_are_found_by_any_of_their_products(shop: Shop) -> None:
    both = shop.place(("A", 1), ("B", 2), customer="me")
    other = shop.place(("B", 1), customer="you")
    assert _pages(shop, 1, sku="B") == [other, both]
    assert _pages(shop, 1, sku="A") == [both]
    assert _pages(shop, 1, sku="B", customer_id="me", status="PENDING") == [both]
    assert _pages(shop, 1, sku="a") == [], "case is kept"
    assert _pages(shop, 1, sku='B"]') == []


def test_an_order_is_found_by_its_product_before_and_after_the_index_knows_it(shop: Shop) -> None:
    """The index is told later; a search that trusted its tree alone would miss the newest orders."""
    early = shop.place(("A", 1))
    with shop.database.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        before = queries.list_orders(connection, ALL._replace(sku="A"), 10, "")[0]
    shop.database.write(commands.fold_in_new_skus)
    late = shop.place(("A", 1))
    assert [shown.standing.id for shown in before] == [early]
    assert _pages(shop, 10, sku="A") == [late, early]


def test_a_token_of_a_list_without_a_sku_is_none_of_a_list_with_one(shop: Shop) -> None:
    for _ in range(2):
        shop.place(("A", 1))
    _, token = _page(shop, 1)
    with pytest.raises(ValidationFailed):
        _page(shop, 1, token, sku="A")


def test_a_search_by_product_is_led_by_its_index(shop: Shop) -> None:
    shop.place(("A", 1))
    conditions = queries._conditions(ALL._replace(sku="A"), None)[1].replace(":sku", "'A'")
    with shop.database.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = "\n".join(
            row[0] for row in connection.exec_driver_sql(f"EXPLAIN SELECT id FROM orders WHERE {conditions}")
        )
    assert "orders_by_sku" in plan, plan


@pytest.mark.parametrize("token", ["garbage", "e30", "W10", "\u00e4", "=", "WyJhIiwxLCJiIl0", "A" * 1000])
def test_a_token_that_is_none_is_refused(shop: Shop, token: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        _page(shop, 2, token)
    assert set(refusal.value.fields) == {"page_token"}


def test_a_token_belongs_to_its_filters(shop: Shop) -> None:
    for _ in range(3):
        shop.place()
    _, token = _page(shop, 1, customer_id="c-17")
    with pytest.raises(ValidationFailed):
        _page(shop, 1, token, customer_id="somebody else")
    with pytest.raises(ValidationFailed):
        _page(shop, 1, token)
    assert len(_page(shop, 2, token, customer_id="c-17")[0]) == 2, "another page size is fine"


def test_a_page_of_very_long_orders_ends_early_and_goes_on(shop: Shop) -> None:
    orders = [shop.place(*[("A", 1)] * 9_000) for _ in range(3)]
    first, token = _page(shop, 10)
    assert first == orders[:0:-1]
    assert _page(shop, 10, token) == ([orders[0]], "")


def test_no_filter_makes_the_database_read_all_orders(shop: Shop) -> None:
    """Whatever is asked for, an index leads to it; only COMPLETED, which most orders are, is read past others."""
    shop.place()
    for status in Status:
        filters = ALL._replace(status=status.value)
        conditions = " AND ".join(queries._conditions(filters, None)).replace(":status", f"'{status}'")
        sql = f"EXPLAIN SELECT id FROM orders WHERE {conditions} ORDER BY placed_at DESC, id DESC LIMIT 15"
        with shop.database.begin() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(sql))
        assert "Seq Scan on orders" not in plan, plan


def test_the_timeline_of_an_order_comes_oldest_first(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id))
    rows = shop.database.read(lambda connection: queries.timeline_of(connection, order_id))
    assert [(row.version, row.from_status, row.to_status) for row in rows] == [
        (1, None, "PENDING"), (2, "PENDING", "RESERVED"),
    ]  # fmt: skip
    with pytest.raises(OrderNotFound):
        shop.database.read(lambda connection: queries.timeline_of(connection, ids.new_id()))
