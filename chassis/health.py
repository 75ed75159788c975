"""Health by dependency, asked of the dependencies in the background and told over grpc.health.v1.

Names: "" and every service of ours are ready or not (protocols: readiness); "database", "kafka" and "redis" tell of
themselves and never of readiness, but for the database, without which an `api` has nothing to say. "live" is of the
process alone: it is served as long as anything is answered, so nobody is killed for what somebody else lacks.

What is wrong, and with what, is said beside each answer in the trailing metadata `reason`, and by the metric
`<context>_dependency_trouble`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from chassis.logs import get_logger
from chassis.metrics import gauge
from chassis.troubles import Trouble, trouble_of

Check = Callable[[], Awaitable[Trouble | None]]
"""Asks a dependency; raises when it is of no use, and returns what is wrong with it when it is of use all the same."""

_EVERY_SECONDS: Final = 2.0
_EVERY_SECONDS_WHILE_AWAY: Final = 0.5
_PATIENCE_SECONDS: Final = 1.5
_MESSAGES: Final[Any] = health_pb2  # whose published types lack the newer messages
_SERVING: Final = HealthCheckResponse.SERVING
_NOT_SERVING: Final = HealthCheckResponse.NOT_SERVING
LIVE: Final = "live"

log = get_logger(__name__)


class HealthServicer(health_pb2_grpc.HealthServicer):
    """The statuses as grpc.health.v1 tells them; unlike grpcio's own servicer it lets its watchers go at the end."""

    def __init__(self) -> None:
        self._statuses: dict[str, Any] = {}
        self._reasons: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._is_ending = False

    def set(self, name: str, is_serving: bool, reason: str = "") -> None:
        """What is told from now on, and why."""
        self._reasons[name] = reason.encode("ascii", "replace").decode()
        status = _SERVING if is_serving and not self._is_ending else _NOT_SERVING
        if self._statuses.get(name) != status:
            self._statuses[name] = status
            self._wake()

    def end(self) -> None:
        """Nothing is served any more; who watches is told so, and let go."""
        self._is_ending = True
        self._statuses = dict.fromkeys(self._statuses, _NOT_SERVING)
        self._wake()

    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        """The status of one name."""
        if (status := self._statuses.get(request.service)) is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing of this name is here")
        if reason := self._reasons.get(request.service):
            context.set_trailing_metadata((("reason", reason),))
        return HealthCheckResponse(status=status)

    async def List(self, _request: Any, _context: Any) -> Any:
        """The status of every name."""
        told = {name: HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return _MESSAGES.HealthListResponse(statuses=told)

    async def Watch(self, request: HealthCheckRequest, _context: Any) -> AsyncIterator[HealthCheckResponse]:
        """The status of one name, and again whenever it changes."""
        told = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, HealthCheckResponse.SERVICE_UNKNOWN)
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if self._is_ending:
                return
            await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Health:
    """Asks each dependency every two seconds; `needed` are those without which nothing is served."""

    def __init__(self, context: str, checks: Mapping[str, Check], needed: Sequence[str]) -> None:
        self._checks = checks
        self._needed = needed
        self._up: dict[str, bool] = {}
        self._troubles: dict[str, Trouble] = {}
        self._services: list[str] = [""]
        self._is_started = False
        self._servicer = HealthServicer()
        self._gauge = gauge(context, "dependency_up", "Whether a dependency answers", "dependency")
        self._why = gauge(
            context, "dependency_trouble", "Whether this is wrong with a dependency", "dependency", "reason"
        )

    def add_to(self, server: Any, services: Sequence[str]) -> None:
        """Answer for these services on this server; all are away until they are known to be there."""
        self._services.extend(services)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        for name in (*self._services, *self._checks):
            self._servicer.set(name, False)
        self._servicer.set(LIVE, True)

    async def watch(self) -> None:
        """Ask, and go on asking, until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(_EVERY_SECONDS if all(self._up.values()) else _EVERY_SECONDS_WHILE_AWAY)

    async def ask(self) -> None:
        """Ask every dependency once, all at the same time."""
        await asyncio.gather(*(self._ask(name, check) for name, check in self._checks.items()))
        self._tell()

    async def started(self) -> None:
        """The process has all its parts together: from now on it is ready when its dependencies are."""
        self._is_started = True
        await self.ask()

    def stopping(self) -> None:
        """Not serving any more, whatever the dependencies say."""
        self._servicer.end()

    @property
    def is_ready(self) -> bool:
        """Whether this process can do what it is for; always, where it needs nothing to be of use later."""
        return not self._needed or (self._is_started and all(self._up.get(name) for name in self._needed))

    async def _ask(self, name: str, check: Check) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                note = await check()
        except Exception as error:  # an edge: a check may fail in whatever way its client fails
            self._note(name, False, trouble_of(error), f"{type(error).__name__}: {error}")
        else:
            self._note(name, True, note)

    def _note(self, name: str, is_up: bool, trouble: Trouble | None, error: str = "") -> None:
        before, known = self._up.get(name), self._troubles.get(name)
        reason = trouble.reason if trouble is not None else ""
        if before == is_up and reason == (known.reason if known is not None else ""):
            return
        self._up[name] = is_up
        self._gauge.labels(name).set(is_up)
        self._remember(name, known, trouble)
        self._servicer.set(name, is_up, str(trouble or ""))
        if not is_up:
            log.warning("dependency is away", dependency=name, reason=reason, error=error)
        elif trouble is not None:
            log.info("dependency is of use, but not as it should be", dependency=name, reason=reason)
        elif before is not None:
            log.info("dependency is back", dependency=name)

    def _remember(self, name: str, before: Trouble | None, now: Trouble | None) -> None:
        if before is not None:
            self._why.labels(name, before.reason).set(0)
            del self._troubles[name]
        if now is not None:
            self._why.labels(name, now.reason).set(1)
            self._troubles[name] = now

    def _tell(self) -> None:
        reason = "; ".join(f"{name}: {trouble.sentence}" for name, trouble in sorted(self._troubles.items()))
        for name in self._services:
            self._servicer.set(name, self.is_ready, reason)
