"""Health by dependency, asked of the dependencies in the background and told over grpc.health.v1.

Names: "" and every service of ours are ready or not (protocols: readiness); "database", "kafka" and "redis" tell of
themselves and never of readiness, but for the database, without which an `api` has nothing to say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio

from chassis.logs import get_logger
from chassis.metrics import gauge

Check = Callable[[], Awaitable[None]]
"""Asks a dependency; raises when it does not answer as it should."""

_EVERY_SECONDS: Final = 2.0
_EVERY_SECONDS_WHILE_AWAY: Final = 0.5
_PATIENCE_SECONDS: Final = 1.5
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING

log = get_logger(__name__)


class Health:
    """Asks each dependency every two seconds; `needed` are those without which nothing is served."""

    def __init__(self, context: str, checks: Mapping[str, Check], needed: Sequence[str]) -> None:
        self._checks = checks
        self._needed = needed
        self._up: dict[str, bool] = {}
        self._services: list[str] = [""]
        self._is_started = False
        self._servicer = aio.HealthServicer()
        self._gauge = gauge(context, "dependency_up", "Whether a dependency answers", "dependency")

    async def add_to(self, server: Any, services: Sequence[str]) -> None:
        """Answer for these services on this server; all are away until they are known to be there."""
        self._services.extend(services)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        for name in (*self._services, *self._checks):
            await self._servicer.set(name, _NOT_SERVING)

    async def watch(self) -> None:
        """Ask, and go on asking, until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(_EVERY_SECONDS if all(self._up.values()) else _EVERY_SECONDS_WHILE_AWAY)

    async def ask(self) -> None:
        """Ask every dependency once, all at the same time."""
        await asyncio.gather(*(self._ask(name, check) for name, check in self._checks.items()))
        await self._tell()

    async def started(self) -> None:
        """The process has all its parts together: from now on it is ready when its dependencies are."""
        self._is_started = True
        await self.ask()

    async def stopping(self) -> None:
        """Not serving any more, whatever the dependencies say."""
        await self._servicer.enter_graceful_shutdown()

    @property
    def is_ready(self) -> bool:
        """Whether this process can do what it is for."""
        return self._is_started and all(self._up.get(name) for name in self._needed)

    async def _ask(self, name: str, check: Check) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await check()
        except Exception as error:  # an edge: a check may fail in whatever way its client fails
            await self._note(name, False, f"{type(error).__name__}: {error}")
        else:
            await self._note(name, True, "")

    async def _note(self, name: str, is_up: bool, error: str) -> None:
        before = self._up.get(name)
        if before == is_up:
            return
        self._up[name] = is_up
        self._gauge.labels(name).set(is_up)
        await self._servicer.set(name, _SERVING if is_up else _NOT_SERVING)
        if not is_up:
            log.warning("dependency is away", dependency=name, error=error)
        elif before is not None:
            log.info("dependency is back", dependency=name)

    async def _tell(self) -> None:
        status = _SERVING if self.is_ready else _NOT_SERVING
        for name in self._services:
            await self._servicer.set(name, status)
