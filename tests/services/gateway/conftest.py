"""A gateway on a port of its own, in front of services that answer as a test says."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from chassis.settings import GRPC_PORTS
from gateway.live.socket_protocol import SocketProtocol
from gateway.rest.protocol import Protocol
from gateway.rest.server import Server, listen
from gateway.settings import GatewaySettings
from tests.services.gateway.services import FakeService
from tests.waiting import until


class Stage:
    """The fake services and the gateway before them, on a loop in a thread of its own."""

    def __init__(self) -> None:
        self.services = {context: FakeService() for context in GRPC_PORTS}
        self.loop = asyncio.new_event_loop()
        self.ports: dict[str, int] = {}
        self.port = 0
        self._is_over = asyncio.Event()

    @property
    def orders(self) -> FakeService:
        """The order service."""
        return self.services["orders"]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Does something on the stage's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(15)

    async def play(self) -> None:
        """Serves until `end`."""
        for context, service in self.services.items():
            self.ports[context] = await service.start()
        addresses: dict[str, Any] = {f"{name}_address": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        settings = GatewaySettings(
            **addresses, gateway_max_waiting=64, gateway_queue_seconds=60, gateway_deadline_seconds=3
        )
        async with serving(settings) as self.port:
            await self._is_over.wait()
        for service in self.services.values():
            await service.stop()

    def end(self) -> None:
        """Lets `play` return."""
        self.loop.call_soon_threadsafe(self._is_over.set)


class TellingServer(Server):
    """A server that says when it is up."""

    def __init__(self, settings: GatewaySettings) -> None:
        super().__init__(settings)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def serving(
    settings: GatewaySettings, http: type[Protocol] = Protocol, ws: type[SocketProtocol] = SocketProtocol
) -> AsyncIterator[int]:
    """A gateway on a free port."""
    server = TellingServer(settings)
    server.config.http, server.config.ws = http, ws
    listening = listen(settings.listen_host, 0)
    serving = asyncio.create_task(server.serve([listening]))
    await server.is_up.wait()
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture(scope="module")
def stage_of_all() -> Iterator[Stage]:
    """One for each module: of several gateways in one process, the gauges show the one that was made last."""
    stage = Stage()
    player = threading.Thread(target=stage.loop.run_until_complete, args=(stage.play(),))
    player.start()
    assert until(lambda: stage.port)
    yield stage
    stage.end()
    player.join()
    stage.loop.close()


@pytest.fixture
def stage(stage_of_all: Stage) -> Stage:
    for service in stage_of_all.services.values():
        service.forget()
    return stage_of_all


@pytest.fixture
def client(stage: Stage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{stage.port}/api/v1", timeout=15) as made:
        yield made


Place = Callable[..., httpx.Response]


@pytest.fixture
def place(client: httpx.Client) -> Place:
    """Places an order, good unless `more` makes it bad."""

    def post(headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"customer_id": "c-17", "idempotency_key": "k", "items": [{"sku": "85123A", "quantity": 2}]}
        return client.post("/orders", json=body | more, headers=headers)

    return post
