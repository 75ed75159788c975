"""Rate limits over REST: two gateways, a real Valkey, and tokens of the development issuer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis import ids
from chassis.limits.limits import VOUCHER
from deploy.local import Infrastructure
from deploy.local.issuer.faces import Desk, server_of
from deploy.local.issuer.signing import Signer, secret_of, signer_of
from gateway.settings import GatewaySettings
from protos.orders.v1 import orders_pb2
from tests.services.chassis.processes import free_port
from tests.services.gateway.conftest import serving
from tests.services.gateway.services import FakeService, take_orders

GET_ORDER = "/orders.v1.OrderService/GetOrder"
BATCH = "/orders.v1.OrderService/BatchCreateOrders"
AN_ORDER = f"/orders/{ids.new_id()}"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Signer]:
    """The development issuer, served."""
    port = free_port()
    signer = signer_of(tmp_path, f"http://127.0.0.1:{port}")
    server = server_of(Desk(signer, secret_of(tmp_path)), port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield signer
    server.shutdown()
    server.server_close()


@asynccontextmanager
async def gateways(
    issuer: Signer, infrastructure: Infrastructure, tmp_path: Path, count: int
) -> AsyncIterator[tuple[FakeService, list[httpx.AsyncClient]]]:
    """So many gateways in front of one order service."""
    orders = FakeService()
    told: dict[str, Any] = {
        "auth": "on", "oidc_issuer": issuer.issuer, "oidc_client_id": "gateway",
        "oidc_client_secret": secret_of(tmp_path).read_text(), "rate_limit_per_minute": 20,
        "redis_url": infrastructure.redis_url, "orders_address": f"127.0.0.1:{await orders.start()}",
    }  # fmt: skip
    orders.on(GET_ORDER, lambda request, context: orders_pb2.Order(id=request.order_id, version=1))
    orders.on(BATCH, take_orders)
    async with serving(GatewaySettings(**told)) as one, serving(GatewaySettings(**told)) as two:
        clients = [httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") for port in (one, two)[:count]]
        yield orders, clients
        for client in clients:
            await client.aclose()
    await orders.stop()


def anna(issuer: Signer) -> dict[str, str]:
    """A customer nobody has seen before."""
    name = ids.new_id()
    return {"Authorization": f"Bearer {issuer.token('customer', name, name)}"}


def test_two_gateways_let_a_customer_through_once_a_limit(
    issuer: Signer, infrastructure: Infrastructure, tmp_path: Path
) -> None:
    async def work() -> None:
        async with gateways(issuer, infrastructure, tmp_path, 2) as (orders, (one, two)):
            headers = anna(issuer)
            calls = [client.get(AN_ORDER, headers=headers) for _ in range(15) for client in (one, two)]
            answers = await asyncio.gather(*calls)
            passed = [answer for answer in answers if answer.status_code == 200]
            refused = [answer for answer in answers if answer.status_code == 429]
            assert 20 <= len(passed) <= 23
            assert len(passed) + len(refused) == 30
            assert len(orders.asked) == len(passed), "the others came no further than the gateway"
            assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"customer";q=20;w=60'}
            assert all(answer.headers["ratelimit"].startswith('"customer";r=') for answer in answers)
            assert refused[0].json()["error_code"] == "too_many_requests"
            assert refused[0].headers["content-type"] == "application/problem+json"
            assert 1 <= int(refused[0].headers["retry-after"]) <= 3

    asyncio.run(work())


def test_the_services_are_shown_that_a_request_was_counted(
    issuer: Signer, infrastructure: Infrastructure, tmp_path: Path
) -> None:
    async def work() -> None:
        async with gateways(issuer, infrastructure, tmp_path, 1) as (orders, (client,)):
            headers = anna(issuer)
            body = {"customer_id": "x", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}
            assert (await client.get(AN_ORDER, headers=headers)).status_code == 200
            assert (await client.post("/orders", json=body, headers=headers)).status_code == 201
            vouchers = [metadata[VOUCHER] for metadata in orders.metadata]
            assert len(vouchers) == 2
            assert all(voucher.startswith("Bearer ") for voucher in vouchers)
            assert headers["Authorization"] not in vouchers

    asyncio.run(work())


def test_operators_are_not_counted(issuer: Signer, infrastructure: Infrastructure, tmp_path: Path) -> None:
    async def work() -> None:
        async with gateways(issuer, infrastructure, tmp_path, 1) as (_, (client,)):
            headers = {"Authorization": f"Bearer {issuer.token('operator', 'boss')}"}
            answers = [await client.get(AN_ORDER, headers=headers) for _ in range(30)]
            assert {answer.status_code for answer in answers} == {200}
            assert "ratelimit" not in answers[0].headers

    asyncio.run(work())
