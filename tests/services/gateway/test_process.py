"""The gateway as a process: how it starts, and how it stops."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import answered, decided, stored
from tests.waiting import until

ORDER = {"customer_id": "c", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}


class Process:
    """`python -m gateway` on ports of its own."""

    def __init__(self, stage: Stage) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        addresses = {f"{context.upper()}_ADDRESS": f"127.0.0.1:{port}" for context, port in stage.ports.items()}
        self.environment = (
            os.environ | addresses | {"REST_PORT": str(self.port), "METRICS_PORT": str(self.metrics_port)}
        )
        self.running = self.start()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "gateway"]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def is_live(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def place(self) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}/api/v1/orders", json=ORDER, timeout=15)


@pytest.fixture
def process(stage: Stage) -> Iterator[Process]:
    made = Process(stage)
    yield made
    made.running.kill()
    made.running.communicate()


def test_it_answers_what_is_under_way_before_it_stops(process: Process, stage: Stage) -> None:
    decision = asyncio.Event()
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", deciding_on(decision))
    assert until(process.is_live)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(process.place)
        assert until(lambda: stage.orders.asked)
        process.running.terminate()
        assert until(lambda: not process.is_live())
        stage.loop.call_soon_threadsafe(decision.set)

        assert answer.result().status_code == 201
    assert process.running.wait(timeout=10) == 0


def test_it_counts_its_answers(process: Process) -> None:
    assert until(process.is_live)

    page = httpx.get(f"http://127.0.0.1:{process.metrics_port}/metrics").text

    counted = 'gateway_http_requests_total{code="200",method="GET",route="/health/live"}'
    assert counted in page


def test_a_second_one_on_the_same_port_says_so(process: Process) -> None:
    assert until(process.is_live)

    second = process.start()
    said, _ = second.communicate(timeout=15)

    assert second.returncode == 1
    assert said.startswith("gateway cannot listen: ")


def test_a_setting_that_makes_no_sense_is_refused_by_name() -> None:
    environment = os.environ | {"GATEWAY_DEADLINE_SECONDS": "soon"}

    refused = subprocess.run([sys.executable, "-m", "gateway"], env=environment, capture_output=True, text=True)

    assert refused.returncode == 2
    assert refused.stderr.startswith("GATEWAY_DEADLINE_SECONDS: ")


def deciding_on(decision: asyncio.Event) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def store_and_wait(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(stored(0))
        await decision.wait()
        yield answered(decided(0))

    return store_and_wait


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
