"""The switch of a simulated party: what it does to requests now, and the path over which that is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from chassis.logs import get_logger
from chassis.simulation.behaviour import Behaviour, Dice, Fate

Endpoint = Callable[[Request], Awaitable[Response]]

CONTROL_PATH: Final = "/simulation"
_JSON: Final = "application/json"

log = get_logger(__name__)


class Switch:
    """Holds the behaviour, and draws by it; used on the event loop of its process alone."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self._dice = Dice(self.behaviour)

    def set(self, behaviour: Behaviour) -> None:
        """Behave so from now on; the dice begin anew."""
        self.behaviour = behaviour
        self._dice = Dice(behaviour)
        log.warning("behaviour was switched", **behaviour.model_dump(exclude_defaults=True))

    def fails_for_good(self) -> bool:
        """Whether the next new thing asked for is to fail for good."""
        return self.falls(self.behaviour.failures)

    def falls(self, percent: int) -> bool:
        """Whether something happens that happens to so many of a hundred; costs no draw when it never does."""
        return percent > 0 and self._dice.falls(percent)

    def misbehaving(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, late, wrong or silent as it is switched at that time."""

        async def answer(request: Request) -> Response:
            fate = self._dice.fate()
            if self.behaviour.latency_ms:
                await asyncio.sleep(self.behaviour.latency_ms / 1000)
            response = await endpoint(request) if fate.has_effect else None
            return _answer_of(fate, response)

        return answer

    def routes(self) -> list[Route]:
        """`GET /simulation` shows the behaviour, `PUT` sets what it names and leaves the rest, `DELETE` calms down."""
        return [
            Route(CONTROL_PATH, self._show, methods=["GET"]),
            Route(CONTROL_PATH, self._change, methods=["PUT"]),
            Route(CONTROL_PATH, self._reset, methods=["DELETE"]),
        ]

    async def _show(self, _request: Request) -> Response:
        return said(self.behaviour.model_dump())

    async def _change(self, request: Request) -> Response:
        try:
            changes = orjson.loads(await request.body())
            if not isinstance(changes, dict):
                raise TypeError("no object")
            changed = Behaviour.model_validate(self.behaviour.model_dump() | changes)
        except ValidationError as error:
            return said({"errors": [_sentence(detail) for detail in error.errors()]}, 422)
        except (ValueError, TypeError):
            return said({"errors": ["a JSON object is needed"]}, 400)
        self.set(changed)
        return await self._show(request)

    async def _reset(self, request: Request) -> Response:
        self.set(Behaviour())
        return await self._show(request)


class Silence(Response):
    """No answer, for as long as the other side waits for one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


def said(document: object, status: int = 200) -> Response:
    """A document as an answer."""
    return Response(orjson.dumps(document), status, media_type=_JSON)


def _answer_of(fate: Fate, response: Response | None) -> Response:
    match fate:
        case Fate.ERROR_BEFORE | Fate.ERROR_AFTER:
            return said({"error": "internal server error"}, 500)
        case Fate.SILENCE_BEFORE | Fate.SILENCE_AFTER:
            return Silence()
        case Fate.GARBAGE:
            return Response(b'{"status": "\x00<html>', 200, media_type=_JSON)
    return response or Silence()


def _sentence(detail: object) -> str:
    told = dict(detail) if isinstance(detail, dict) else {}
    name = ".".join(str(part) for part in told.get("loc", ()))
    sentence = str(told.get("msg", "")).removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{name}: {sentence}".removeprefix(": ")
