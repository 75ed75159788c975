"""`/health`: asked of the four services by grpc.health.v1, for themselves and for what they depend on."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import clock
from gateway.rest.answers import Answer, of_json
from gateway.rest.channels import Channels
from gateway.rest.requests import Request

DEPENDENCIES = ("database", "redis", "kafka")
NEEDED = "orders"
"""Without it the gateway is not ready."""
PATIENCE_SECONDS = 1.0
REMEMBERED_SECONDS = 0.5

_SERVING = health_pb2.HealthCheckResponse.SERVING


class Health:
    """Asks at most twice a second, however often it is asked itself."""

    def __init__(self, channels: Channels) -> None:
        self._stubs: dict[str, Any] = {
            context: health_pb2_grpc.HealthStub(channels.of(context)) for context in channels.contexts
        }
        self._asked_at = 0.0
        self._asking: asyncio.Task[Mapping[str, str]] | None = None

    async def health(self, request: Request) -> Answer:
        """200 when everything is there, else 503; `services` tells what is not."""
        services = await self._services()
        is_well = all(state in ("connected", "serving") for state in services.values())
        return _told(200 if is_well else 503, "ok" if is_well else "degraded", services)

    async def ready(self, request: Request) -> Answer:
        """200 when orders can be taken."""
        state = _state_of(await self._ask(NEEDED, ""))
        return _told(200 if state == "serving" else 503, "ok" if state == "serving" else "degraded", {NEEDED: state})

    async def live(self, request: Request) -> Answer:
        """200 as long as this process answers at all."""
        return _told(200, "ok", {})

    async def _services(self) -> Mapping[str, str]:
        """What was heard last, when that was just now; those who ask at one time share the answer."""
        if self._asking is None or (self._asking.done() and clock.monotonic() - self._asked_at > REMEMBERED_SECONDS):
            self._asked_at = clock.monotonic()
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(self._asking)

    async def _ask_all(self) -> Mapping[str, str]:
        questions = [(context, name) for context in self._stubs for name in ("", *DEPENDENCIES)]
        answers = await asyncio.gather(*(self._ask(context, name) for context, name in questions))
        heard = dict(zip(questions, answers, strict=True))
        dependencies = {name: _common([heard[context, name] for context in self._stubs]) for name in DEPENDENCIES}
        return dependencies | {context: _state_of(heard[context, ""]) for context in self._stubs}

    async def _ask(self, context: str, name: str) -> bool | None:
        """Whether it is well, by the service's word; None when there is no word."""
        question = health_pb2.HealthCheckRequest(service=name)
        try:
            answer: Any = await self._stubs[context].Check(question, timeout=PATIENCE_SECONDS)
        except grpc.aio.AioRpcError:
            return None
        return bool(answer.status == _SERVING)


def _told(status: int, word: str, services: Mapping[str, str]) -> Answer:
    return of_json(status, {"status": word, "services": services, "timestamp": clock.now()})


def _state_of(answer: bool | None) -> str:
    return {True: "serving", False: "not serving", None: "unreachable"}[answer]


def _common(answers: list[bool | None]) -> str:
    """A dependency is there when nobody who has it misses it; not every context has each of them."""
    known = [answer for answer in answers if answer is not None]
    return "connected" if known and all(known) else "disconnected" if known else "unknown"
