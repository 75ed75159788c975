"""More than can be done: what has no room is refused at once, and before anything is spent on it."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway.settings import GatewaySettings
from protos.orders.v1 import orders_pb2
from tests.services.gateway.conftest import serving
from tests.services.gateway.services import FakeService

LIST_ORDERS = "/orders.v1.OrderService/ListOrders"
"""Each of these is a call of its own, while those for one order are gathered."""
LIMITS = httpx.Limits(max_connections=None)


@asynccontextmanager
async def gateway(orders: FakeService, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in front of an order service."""
    address: dict[str, Any] = {"orders_address": f"127.0.0.1:{await orders.start()}"}
    async with serving(GatewaySettings(**address, **settings)) as port:
        base = f"http://127.0.0.1:{port}/api/v1"
        async with httpx.AsyncClient(base_url=base, limits=LIMITS, timeout=30) as client:
            yield client
    await orders.stop()


async def place(client: httpx.AsyncClient, key: str, **options: Any) -> httpx.Response:
    body = {"customer_id": "c-17", "idempotency_key": key, "items": [{"sku": "A", "quantity": 1}]}
    return await client.post("/orders", json=body, **options)


def test_what_has_no_room_is_refused_within_ten_milliseconds_and_keeps_its_connection() -> None:
    async def work() -> None:
        orders, free, all_inside = FakeService(), asyncio.Event(), asyncio.Event()

        async def answer(request: Any, context: Any) -> orders_pb2.ListOrdersResponse:
            if len(orders.asked) == 20:
                all_inside.set()
            await free.wait()
            return orders_pb2.ListOrdersResponse()

        orders.on(LIST_ORDERS, answer)
        async with gateway(orders, gateway_max_requests=20) as client:
            path = "/orders"
            inside = [asyncio.create_task(client.get(path)) for _ in range(20)]
            await asyncio.wait_for(all_inside.wait(), 15)
            took: list[float] = []
            for index in range(40):
                # Of the processor's time, which a busy machine does not stretch; nothing is waited for.
                began = time.process_time()
                refused = await (client.get(path) if index % 2 else place(client, "k"))
                took.append(time.process_time() - began)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert refused.json()["error_code"] == "unavailable"
                assert "connection" not in refused.headers, "a storm of new connections would cost more than answers"
            assert statistics.median(took) < 0.01
            assert (await client.get("/health/live")).status_code == 200, "who looks after us is no load"
            free.set()
            assert {answer.status_code for answer in await asyncio.gather(*inside)} == {200}
            assert (await client.get(path)).status_code == 200

    asyncio.run(work())
