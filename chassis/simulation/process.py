"""The life of a simulated party's process: its command line, its start, its signals, its end."""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol

import uvicorn
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import tracing
from chassis.errors import Unavailable
from chassis.logs import configure_logs, get_logger
from chassis.settings import http_url, known_actions, load_settings, loopback_host, port_offset, settings_table
from chassis.simulation.behaviour import Behaviour
from chassis.simulation.switch import Endpoint, Silence, Switch, said

READY_PATH: Final = "/health/ready"
_GATEWAY_PORT: Final = 8080
_KEEP_ALIVE_SECONDS: Final = 65
_LEAVING_SECONDS: Final = 1
"""How long a stop waits for answers under way; those that are silent never come."""
_READY_SECONDS: Final = 2.0

log = get_logger(__name__)


class SimulatorSettings(BaseSettings):
    """What every simulated party can be told; each adds its own in a subclass. Read once, at start."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, allow_inf_nan=False
    )

    port_offset: int = port_offset()
    listen_host: Annotated[str, AfterValidator(loopback_host)] = Field(
        default="127.0.0.1", description="address to listen on; a loopback address, as callers are not authenticated"
    )
    webhook_url: Annotated[str, AfterValidator(http_url)] = Field(
        default="", description="where webhooks go, before /api; default http://127.0.0.1:8080, port + PORT_OFFSET"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the least that is logged"
    )
    simulation_seed: int = Field(default=1, ge=0, description="seed of what the simulated world leaves to chance")
    failpoint: Annotated[str, AfterValidator(known_actions)] = Field(
        default="", description="tests only: name=crash, name=raise or name=sleep:MS, with commas"
    )

    @property
    def door(self) -> str:
        """Where webhooks go."""
        return self.webhook_url or f"http://127.0.0.1:{_GATEWAY_PORT + self.port_offset}"


class World(Protocol):
    """What a simulated party is made of; made on the event loop that serves it."""

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        """Method, path and answer of all that it can be asked for; each misbehaves as it is switched."""

    async def start(self) -> None:
        """Open for business."""

    async def stop(self) -> None:
        """Answer who has asked, then close."""

    def ping(self) -> None:
        """Raises Unavailable while it cannot answer; may block."""


@dataclass(frozen=True)
class Simulator:
    """A simulated party: its name in logs, its module, what it can be told, its usual port, and how it is made."""

    name: str
    module: str
    settings: type[SimulatorSettings]
    port: int
    build: Callable[[Any, Switch], World]


def run_simulator(simulator: Simulator, arguments: Sequence[str]) -> int:
    """Do what the command line asks for; the exit code: 0 in order, 1 failed, 2 a wrong call or setting."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {simulator.module}", description="Plays a party outside until it is told to stop."
    )
    parser.add_argument("--settings", action="store_true", help="print what it can be told, and exit")
    if parser.parse_args(arguments).settings:
        print(settings_table(simulator.settings))
        return 0
    settings = load_settings(simulator.settings)
    configure_logs(simulator.name, settings.log_level)
    try:
        listening = _listen(settings.listen_host, simulator.port + settings.port_offset)
    except OSError as error:
        print(f"{simulator.name} cannot listen: {error}. Is another one running here?", file=sys.stderr)
        return 1
    switch = Switch(Behaviour(seed=settings.simulation_seed))
    server = uvicorn.Server(server_config(lambda: simulator.build(settings, switch), switch))
    for number in (signal.SIGTERM, signal.SIGINT):
        # When it has stopped, uvicorn sends itself again the signal that it stopped for.
        signal.signal(number, server.handle_exit)
    log.info("started", port=simulator.port + settings.port_offset)
    server.run(sockets=[listening])
    log.info("stopped")
    return 0 if server.started else 1


def server_config(build: Callable[[], World], switch: Switch) -> uvicorn.Config:
    """How a world is served; what was silent at the end is broken off."""
    return uvicorn.Config(
        application(build, switch),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LEAVING_SECONDS,
    )


def application(build: Callable[[], World], switch: Switch) -> ASGIApp:
    """A world behind its switch, with the control path and readiness beside it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        world = build()
        app.router.routes += [
            Route(path, switch.misbehaving(_available(endpoint)), methods=[method])
            for method, path, endpoint in world.endpoints()
        ]
        app.router.routes.append(Route(READY_PATH, _readiness(world), methods=["GET"]))
        await world.start()
        yield
        await world.stop()

    return _Traced(Starlette(routes=switch.routes(), lifespan=lifespan))


class _Traced:
    """Puts what a request does into the trace of who asks."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
            tracing.current.set(tracing.from_headers(told, None))
        await self._inner(scope, receive, send)


def _available(endpoint: Endpoint) -> Endpoint:
    """The endpoint, answering 503 where its books are away: then nobody knows what was written."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Unavailable as error:
            return said({"error": str(error)}, 503)
        except ClientDisconnect:
            return Silence()

    return answer


def _readiness(world: World) -> Endpoint:
    async def ready(_request: Request) -> Response:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await asyncio.to_thread(world.ping)
        except (Unavailable, TimeoutError) as error:
            return said({"status": "away", "reason": str(error)}, 503)
        return said({"status": "ok"})

    return ready


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)
