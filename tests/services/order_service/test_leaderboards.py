"""Leaderboards and KPIs as they are read: quickly from Redis, the same from Postgres, and never from what is stale."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.local import Infrastructure
from order_service.reports import queries
from order_service.reports.domain import CUSTOMERS, Board, Place
from protos.orders.v1 import orders_pb2
from protos.orders.v1 import reports_pb2 as pb
from tests.reports import what_stays
from tests.services.order_service.counter import NO_REDIS, Counter, reason_of, refusal_of, serve
from tests.services.order_service.reporting import Office
from tests.services.order_service.shop import Shop

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
A_DAY = pb.GetDailyKpisRequest(date="2026-03-01")
TEN = pb.ListCustomerRanksRequest()


@pytest.fixture
def office(shop: Shop, infrastructure: Infrastructure) -> Iterator[Office]:
    made = Office(shop, infrastructure.redis_url)
    yield made
    made.redis.close()


@pytest.fixture
def redis_url(infrastructure: Infrastructure) -> str:
    return infrastructure.redis_url


async def ranks(counter: Counter, request: Any = TEN) -> list[tuple[str, str, int]]:
    """Customers with what they spent and how often, best first."""
    found = await counter.reports.ListCustomerRanks(request)
    assert [each.rank for each in found.customers] == list(range(1, len(found.customers) + 1))
    return [(each.customer_id, each.spent, each.orders) for each in found.customers]


def forge(office: Office, customer: str, spent: int) -> None:
    """What Redis alone says of a customer, so that it shows where an answer comes from."""
    edition: Any = office.redis.get("orders:{reports}:edition")
    office.redis.zadd(f"orders:{{reports}}:{edition.decode()}:customers:spent", {customer: spent})


def in_postgres(shop: Shop, board: Board, measure: str) -> list[Place]:
    """A whole board from Postgres."""

    def top(connection: Any) -> list[Place]:
        return queries.top(connection, queries.boards(connection).generation, board, measure, 100)

    return shop.database.read(top)


def test_leaderboards_are_read_from_redis(office: Office, redis_url: str) -> None:
    office.complete(("A", 2), customer="anna")
    office.complete(("A", 1), customer="ben")
    office.settle()
    forge(office, "ben", 99_999)

    async def scenario(counter: Counter) -> None:
        assert await ranks(counter) == [("ben", "999.99", 1), ("anna", "5.10", 1)]
        assert await ranks(counter, pb.ListCustomerRanksRequest(limit=1)) == [("ben", "999.99", 1)]
        second = await counter.reports.GetCustomerRank(pb.GetCustomerRankRequest(customer_id=" anna "))
        assert (second.rank, second.spent, second.currency, second.orders) == (2, "5.10", "GBP", 1)

    serve(office.shop, scenario, redis_url=redis_url)


@pytest.mark.parametrize("trouble", ["away", "flushed", "another edition", "behind", "nothing counted"])
def test_where_redis_cannot_be_believed_postgres_answers_the_same(office: Office, redis_url: str, trouble: str) -> None:
    office.complete(("A", 2), ("B", 1), customer="anna")
    office.give_back(office.complete(("A", 3), customer="ben"), 100)
    office.settle()
    forge(office, "ben", 99_999)
    if trouble == "flushed":
        office.redis.flushdb()
    if trouble == "another edition":
        office.redis.set("orders:{reports}:edition", 7)
    if trouble == "behind":
        office.shop.run(
            "INSERT INTO report_changes (customers, skus, created_at) VALUES ('{}', '{}', now() - interval '1 minute')"
        )
    if trouble == "nothing counted":
        office.shop.run("DELETE FROM report_state")

    async def scenario(counter: Counter) -> None:
        assert await ranks(counter) == [("anna", "7.65", 1), ("ben", "6.65", 1)]
        ben = await counter.reports.GetCustomerRank(pb.GetCustomerRankRequest(customer_id="ben"))
        assert (ben.rank, ben.spent) == (2, "6.65")
        sold = await counter.reports.ListProductRanks(pb.ListProductRanksRequest(by="revenue"))
        assert [(each.sku, each.name, each.units, each.revenue) for each in sold.products] == [
            ("A", "a A", 5, "11.75"), ("B", "a B", 1, "2.55"),
        ]  # fmt: skip
        nobody = counter.reports.GetCustomerRank(pb.GetCustomerRankRequest(customer_id="nobody"))
        assert reason_of(await refusal_of(nobody)) == "not_found"

    serve(office.shop, scenario, redis_url=NO_REDIS if trouble == "away" else redis_url)


@pytest.mark.parametrize("is_job_there", [True, False])
def test_what_was_completed_before_the_question_is_in_the_answer_where_the_job_is_there(
    office: Office, redis_url: str, is_job_there: bool
) -> None:
    """Whoever sees their order COMPLETED, or an import done, finds it counted; a job that is gone stops nobody."""
    office.settle()
    office.complete(customer="anna")

    async def scenario(counter: Counter) -> None:
        asked = asyncio.ensure_future(ranks(counter))
        if is_job_there:
            await counter.aside(office.settle)
        assert await asked == ([("anna", "2.55", 1)] if is_job_there else [])

    serve(office.shop, scenario, redis_url=redis_url)


def test_who_has_no_completed_order_has_no_rank(office: Office, redis_url: str) -> None:
    office.complete(customer="anna")
    office.settle()

    async def scenario(counter: Counter) -> None:
        call = counter.reports.GetCustomerRank(pb.GetCustomerRankRequest(customer_id="nobody"))
        assert reason_of(await refusal_of(call)) == "not_found"

    serve(office.shop, scenario, redis_url=redis_url)


def test_equal_figures_have_the_same_order_in_redis_and_in_postgres(office: Office, redis_url: str) -> None:
    """By bytes, the last first: so do sorted sets, and collation "C"."""
    names = ["anna", "Anna", "ben", "é", "z", "ß", "Ω", "10", "9", "a b"]
    for name in names:
        office.complete(("A", 1), customer=name)
    office.settle()
    in_order = sorted(names, key=str.encode, reverse=True)
    assert [place.figures.member for place in in_postgres(office.shop, CUSTOMERS, "spent")] == in_order

    async def scenario(counter: Counter) -> None:
        assert [row[0] for row in await ranks(counter)] == in_order
        for rank, name in enumerate(in_order, start=1):
            found = await counter.reports.GetCustomerRank(pb.GetCustomerRankRequest(customer_id=name))
            assert (found.customer_id, found.rank) == (name, rank)

    serve(office.shop, scenario, redis_url=redis_url)
    serve(office.shop, scenario)


def test_products_are_ranked_by_pieces_or_by_revenue(office: Office, redis_url: str) -> None:
    office.shop.sell("D", price=3, version=2)
    office.complete(("A", 2), ("D", 5))
    office.settle()

    async def scenario(counter: Counter) -> None:
        for by, skus in (("", ["D", "A"]), ("units", ["D", "A"]), ("revenue", ["A", "D"])):
            found = await counter.reports.ListProductRanks(pb.ListProductRanksRequest(by=by))
            assert [each.sku for each in found.products] == skus
        wrong = counter.reports.ListProductRanks(pb.ListProductRanksRequest(by="age"))
        assert reason_of(await refusal_of(wrong)) == "validation_error"

    serve(office.shop, scenario, redis_url=redis_url)


def test_a_rebuild_is_accepted_and_changes_nothing_that_is_right(office: Office, redis_url: str) -> None:
    office.complete(("A", 2), customer="anna")
    office.settle()

    async def scenario(counter: Counter) -> None:
        asked = await counter.reports.RebuildReports(pb.RebuildReportsRequest())
        assert asked.running
        assert await ranks(counter) == [("anna", "5.10", 1)]
        await counter.aside(office.settle)
        done = await counter.reports.GetRebuild(pb.GetRebuildRequest())
        assert (done.running, done.published) == (False, True)
        assert done.finished_at.ToDatetime() >= asked.asked_at.ToDatetime()
        assert await ranks(counter) == [("anna", "5.10", 1)]

    serve(office.shop, scenario, redis_url=redis_url)
    assert office.wrong() == []
    [act] = office.shop.rows("SELECT actor, action, subject FROM audit")
    assert tuple(act) == ("client", "rebuild_reports", "reports")


# ---- what is cached


def test_figures_are_cached_until_something_of_that_day_is_completed_or_given_back(
    office: Office, redis_url: str
) -> None:
    order_id = office.complete(placed_at=DAY)
    office.settle()

    async def scenario(counter: Counter) -> None:
        async def revenue() -> str:
            return str((await counter.reports.GetDailyKpis(A_DAY)).revenue)

        assert await revenue() == "2.55"
        # Past the service, so that only what is cached can still say what was.
        await counter.aside(office.shop.run, "UPDATE orders SET refunded_minor = 1")
        assert await revenue() == "2.55"
        await counter.aside(office.shop.run, "UPDATE orders SET refunded_minor = 0")
        await counter.aside(partial(office.complete, placed_at=DAY))
        await counter.aside(office.settle)
        assert await revenue() == "5.10"
        await counter.aside(office.give_back, order_id, 55)
        await counter.aside(office.settle)
        assert await revenue() == "4.55"

    serve(office.shop, scenario, redis_url=redis_url)
    assert office.wrong() == []


def test_orders_of_other_days_leave_a_days_cache_alone_and_not_that_of_a_range(office: Office, redis_url: str) -> None:
    office.complete(placed_at=DAY)
    office.settle()

    async def scenario(counter: Counter) -> None:
        span = pb.GetRangeKpisRequest(**{"from": "2026-02-01"}, to="2026-03-31")
        first = await counter.reports.GetDailyKpis(A_DAY)
        assert (await counter.reports.GetRangeKpis(span)).orders == 1
        await counter.aside(partial(office.complete, placed_at=DAY.replace(day=2)))
        await counter.aside(office.settle)
        assert (await counter.reports.GetDailyKpis(A_DAY)).counted_at == first.counted_at
        assert (await counter.reports.GetRangeKpis(span)).orders == 2

    serve(office.shop, scenario, redis_url=redis_url)


def test_a_past_day_is_kept_for_a_day_and_all_else_for_an_hour(office: Office, redis_url: str) -> None:
    office.settle()

    async def scenario(counter: Counter) -> None:
        await counter.reports.GetDailyKpis(A_DAY)
        await counter.reports.GetDailyKpis(pb.GetDailyKpisRequest())
        await counter.reports.GetRangeKpis(pb.GetRangeKpisRequest(**{"from": "2026-02-01"}, to="2026-03-31"))

    serve(office.shop, scenario, redis_url=redis_url)
    seconds = sorted(office.redis.ttl(key) for key in office.redis.scan_iter(match="*:cache:*"))
    assert [round(each / 100) for each in seconds] == [36, 36, 864]


def test_while_a_mark_of_the_day_waits_nothing_cached_is_believed(office: Office, redis_url: str) -> None:
    """The job may be late or gone: what was cached under the last revision it raised might stand for a day."""
    office.complete(placed_at=DAY)
    office.settle()

    async def scenario(counter: Counter) -> None:
        first = await counter.reports.GetDailyKpis(A_DAY)
        assert first.orders == 1
        await counter.aside(partial(office.complete, placed_at=DAY.replace(day=2)))
        assert (await counter.reports.GetDailyKpis(A_DAY)).counted_at == first.counted_at, "that is another day"
        await counter.aside(partial(office.complete, placed_at=DAY))
        assert (await counter.reports.GetDailyKpis(A_DAY)).orders == 2
        await counter.aside(office.shop.run, "UPDATE report_marks SET created_at = now() - interval '1 hour'")
        assert (await counter.reports.GetDailyKpis(A_DAY)).orders == 2

    serve(office.shop, scenario, redis_url=redis_url)


def test_a_rebuild_leaves_nothing_of_the_cache(office: Office, redis_url: str) -> None:
    office.complete(placed_at=DAY)
    office.settle()

    async def scenario(counter: Counter) -> None:
        first = await counter.reports.GetDailyKpis(A_DAY)
        await counter.aside(office.rebuild)
        await counter.aside(office.settle)
        assert (await counter.reports.GetDailyKpis(A_DAY)).counted_at != first.counted_at

    serve(office.shop, scenario, redis_url=redis_url)


# ---- how things stand


def test_how_things_stand_is_told_by_status_and_by_minute(office: Office) -> None:
    office.complete()
    office.shop.place(("A", 1))
    office.shop.place(("A", 1), placed_at=DAY)
    old = office.shop.place(("A", 1))
    office.shop.run("UPDATE orders SET created_at = now() - interval '2 hours' WHERE id = CAST(:id AS uuid)", id=old)

    async def scenario(counter: Counter) -> None:
        told = await counter.reports.GetRealtimeKpis(pb.GetRealtimeKpisRequest())
        orders = {orders_pb2.OrderStatus.Name(each.status): each.orders for each in told.statuses}
        assert (orders["ORDER_STATUS_PENDING"], orders["ORDER_STATUS_COMPLETED"], len(orders)) == (3, 1, 10)
        assert len(told.minutes) == queries.MINUTES
        assert (sum(each.orders for each in told.minutes), sum(each.completed for each in told.minutes)) == (3, 1)

    serve(office.shop, scenario)


# ---- what an amount that goes back is taken from


def lines(*of: tuple[str, int, int]) -> list[dict[str, Any]]:
    """SKU, pieces, price."""
    return [{"sku": sku, "name": sku, "quantity": pieces, "unit_price_minor": price} for sku, pieces, price in of]


@pytest.mark.parametrize(
    ("refunded", "returned", "stays"),
    [
        (0, {}, {"A": (2, 200), "B": (1, 100)}),
        (30, {}, {"A": (2, 180), "B": (1, 90)}),  # nothing came back: from all, in proportion
        (100, {"A": 1}, {"A": (1, 100), "B": (1, 100)}),  # from what came back
        (40, {"A": 1}, {"A": (1, 160), "B": (1, 100)}),
        (150, {"A": 1}, {"A": (1, 75), "B": (1, 75)}),  # more than it cost: the rest from all that is left
        (150, {"A": 5}, {"A": (0, 50), "B": (1, 100)}),  # named again and again, without being put back
        (300, {}, {"A": (0, 0), "B": (0, 0)}),  # all of it: nothing is sold
    ],
)
def test_money_that_goes_back_is_taken_from_what_came_back_first(
    office: Office, refunded: int, returned: dict[str, int], stays: dict[str, tuple[int, int]]
) -> None:
    rows = office.shop.rows(
        "SELECT * FROM report_lines(CAST(:items AS jsonb), :refunded, CAST(:returned AS jsonb))",
        items=orjson.dumps(lines(("A", 1, 100), ("A", 1, 100), ("B", 1, 100))).decode(),
        refunded=refunded,
        returned=orjson.dumps(returned).decode(),
    )
    assert {row.sku: (row.units, row.revenue_minor) for row in rows} == stays


some_lines = st.lists(
    st.tuples(st.sampled_from("ABCÄ"), st.integers(1, 1_000_000), st.integers(0, 10**9)), min_size=1, max_size=8
).filter(lambda bought: any(price for _, _, price in bought))


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_goes_back_the_parts_add_up_and_none_is_negative(office: Office, data: st.DataObject) -> None:
    bought = lines(*data.draw(some_lines))
    total = sum(line["quantity"] * line["unit_price_minor"] for line in bought)
    refunded = data.draw(st.integers(0, total))
    returned = data.draw(st.dictionaries(st.sampled_from([line["sku"] for line in bought]), st.integers(1, 2_000_000)))

    rows = office.shop.rows(
        "SELECT * FROM report_lines(CAST(:items AS jsonb), :refunded, CAST(:returned AS jsonb))",
        items=orjson.dumps(bought).decode(), refunded=refunded, returned=orjson.dumps(returned).decode(),
    )  # fmt: skip

    found = {row.sku: (row.units, int(row.revenue_minor)) for row in rows}
    assert found == what_stays(bought, refunded, returned)
    assert sum(revenue for _, revenue in found.values()) == total - refunded
    assert all(units >= 0 and revenue >= 0 for units, revenue in found.values())
