"""Figures and leaderboards of the running system are what the orders come to, whatever is flushed or killed (I10)."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis.redis import client
from deploy.local import Stack
from tests.end_to_end.shop import Shop
from tests.reports import wrong_reports
from tests.waiting import until


class Auditor:
    """Compares what is reported with what the orders come to."""

    def __init__(self, stack: Stack) -> None:
        owner = make_url(stack.infrastructure.database_url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(owner)
        self.redis = client(stack.infrastructure.redis_url)

    def wrong(self) -> list[str]:
        """I10, once the job has come to rest; what stays wrong for longer than that is wrong."""
        until(lambda: not self._wrong(), seconds=30)
        return self._wrong()

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()
        self.redis.close()

    def _wrong(self) -> list[str]:
        with self._engine.connect() as connection:
            return wrong_reports(connection, self.redis)


@pytest.fixture
def auditor(stack: Stack) -> Iterator[Auditor]:
    made = Auditor(stack)
    yield made
    made.close()


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def completed(shop: Shop, sku: str, customer: str, pieces: int) -> str:
    order_id = str(shop.place([(sku, pieces)], customer_id=customer).data["id"])
    assert shop.comes_to(order_id, "COMPLETED")["status"] == "COMPLETED"
    return order_id


def test_orders_and_refunds_are_ranked_as_soon_as_they_are_done(shop: Shop, auditor: Auditor) -> None:
    customer = f"c-{uuid.uuid4().hex}"
    sku = shop.stock("ranked", 1_000, "9000.00")

    order_id = completed(shop, sku, customer, 900)
    rank = shop.call("GET", f"/leaderboard/customers/{customer}/rank").data
    assert (rank["rank"], rank["spent"], rank["orders"]) == (1, "8100000.00", 1)

    shop.call(
        "POST", f"/orders/{order_id}/refunds", {"idempotency_key": "r1", "items": [{"sku": sku, "quantity": 900}]}
    )
    assert until(lambda: shop.order(order_id)["payment_status"] == "REFUNDED")
    rank = shop.call("GET", f"/leaderboard/customers/{customer}/rank").data
    assert (rank["spent"], rank["orders"]) == ("0.00", 1)
    assert auditor.wrong() == []


def test_a_rebuild_a_flush_and_a_death_leave_every_figure_right(stack: Stack, shop: Shop, auditor: Auditor) -> None:
    sku = shop.stock("audited", 1_000)
    orders = [shop.place_stubbornly([(sku, number % 3 + 1)], customer_id=f"a-{number % 5}") for number in range(30)]
    assert shop.call("POST", "/leaderboard/rebuild", {}).status == 202
    auditor.redis.flushall()
    orders += [shop.place_stubbornly([(sku, 1)], customer_id="a-1") for _ in range(10)]
    stack.kill("order_service")
    orders += [shop.place_stubbornly([(sku, 2)], customer_id="a-2") for _ in range(10)]
    for order_id in orders:
        assert shop.comes_to(order_id, "COMPLETED", seconds=60)["status"] == "COMPLETED"

    assert auditor.wrong() == []
    assert not shop.call("GET", "/leaderboard/rebuild").data["running"]
