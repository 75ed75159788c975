"""HTTP to a party outside: what was not sent, what was answered with an error and what was not answered, told apart.

Retrying is not done here: only who asks knows whether a question may be asked twice, and its row says so.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import httpx
import orjson
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from chassis import tracing
from chassis.logs import get_logger
from chassis.metrics import counter, gauge

A = TypeVar("A")
Reading = Callable[[int, Any], A]
"""`reading(status, document)` makes an answer of a document; ValueError, KeyError or TypeError: it makes no sense."""

_LARGEST_ANSWER: Final = 1 << 20
_KEPT_SECONDS: Final = 30.0
"""Shorter than servers usually keep a connection that rests, so that ours is not closed under a request."""
_SENDING: Final = "send_request_headers.started"
"""Ends the name of the step from which on the other side may know of a request."""
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_REFUSING: Final = 400

log = get_logger(__name__)


class OutsideTrouble(Exception):
    """No answer that decides anything."""


class NotSent(OutsideTrouble):
    """The request certainly never reached the other side: refused, no connection in time, or not even tried."""


class ErrorAnswer(OutsideTrouble):
    """An error (5xx, 408, 425, 429) or nonsense was answered: the other side may, or may not, have done it."""


class Unanswered(OutsideTrouble):
    """The request was sent, at least in part, and then no answer came in time, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is borne: `timeout` seconds for a whole answer, `connections` at once; after `failures` in a row nothing
    is sent for `rest` seconds, then one more failure is enough."""

    timeout: float
    connections: int = 64
    failures: int = 20
    rest: float = 5.0


class Outside:
    """One party outside. Used on one event loop; `close` ends its connections there."""

    def __init__(self, context: str, name: str, url: str, limits: Limits, *, token: str = "") -> None:
        """`token`, where there is one, is sent as bearer and never logged."""
        self._name = name
        self._timeout = limits.timeout
        self._breakers = AsyncCircuitBreakerFactory(limits.failures, limits.rest)
        self._breakers.add_listener(self._on_breaker)
        self._open = gauge(context, "outside_breaker_open", "Whether nothing is sent to a party outside", "party")
        self._open.labels(name).set(0)
        self._asked = counter(context, "outside_requests", "Requests to a party outside by outcome", "party", "outcome")
        self._lines = Lines(url, limits.connections, {"authorization": f"Bearer {token}"} if token else {})

    async def close(self) -> None:
        """Let go of the connections."""
        await self._lines.close()

    async def ask(
        self,
        method: str,
        path: str,
        reading: "Reading[A]",
        *,
        document: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> A:
        """What the other side says to a request, as `reading` makes it. Raises NotSent, ErrorAnswer or Unanswered."""
        told = {
            "traceparent": tracing.onward(tracing.current.get()),
            **({} if document is None else {"content-type": "application/json"}),
            **(headers or {}),
        }
        content = None if document is None else orjson.dumps(document)
        request = partial(
            httpx.AsyncClient.build_request, method=method, url=path, content=content, params=query, headers=told
        )
        async with self._counted(), self._unbroken():
            status, answer = await self._sent(request)
            return _read(status, answer, reading)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        try:
            yield
        except (OutsideTrouble, asyncio.CancelledError) as trouble:
            self._asked.labels(self._name, _OUTCOMES.get(type(trouble), "unanswered")).inc()
            raise
        self._asked.labels(self._name, "answered").inc()

    @asynccontextmanager
    async def _unbroken(self) -> AsyncIterator[None]:
        """Rule (protocols: payment): where the breaker is open, nothing is sent."""
        breaker = await self._breakers.get_breaker(self._name)
        try:
            await breaker.__aenter__()
        except OpenedState as state:
            state.with_traceback(None)  # it is raised again and again, and would gather all of them
            raise NotSent(f"{self._name} failed too often, and is left alone for a moment") from None
        try:
            yield
        except (OutsideTrouble, asyncio.CancelledError) as trouble:
            await breaker.__aexit__(type(trouble), trouble, trouble.__traceback__)
            raise
        else:
            await breaker.__aexit__(None, None, None)

    def _on_breaker(self, _name: str, kind: str, event: Any) -> None:
        if kind != "state_changed" or event.state == "half-opened":
            return
        is_open = event.state == "opened"
        self._open.labels(self._name).set(is_open)
        log.warning("nothing is sent for a moment" if is_open else "sent again as before", party=self._name)

    async def _sent(self, request: "Callable[[httpx.AsyncClient], httpx.Request]") -> tuple[int, bytes]:
        sending = asyncio.Event()
        try:
            async with asyncio.timeout(self._timeout), self._lines.free(self._timeout / 2) as line:
                made = request(line)
                made.extensions["trace"] = partial(_note_sending, sending)
                return await _exchanged(line, made)
        except TimeoutError as error:
            raise _trouble(sending, f"no answer within {self._timeout:g} s") from error
        except httpx.DecodingError as error:
            raise ErrorAnswer("the answer cannot be decoded") from error
        except httpx.HTTPError as error:
            raise _trouble(sending, f"{type(error).__name__}: {error}") from error


class Lines:
    """Connections to one party, each with a client of its own.

    The pool of httpx hands a connection that falls free to every request that waits, of which all but one come back
    for another: with 64 at once that was ten times the work of the requests themselves.
    """

    def __init__(self, url: str, connections: int, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = headers
        self._turn = asyncio.Semaphore(connections)
        self._free: list[httpx.AsyncClient] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._trust = ssl.create_default_context() if url.startswith("https:") else False

    @asynccontextmanager
    async def free(self, patience: float) -> AsyncIterator[httpx.AsyncClient]:
        """A line that nobody else uses meanwhile: the one used last, so that others may rest and close. Raises
        TimeoutError when none falls free in so many seconds."""
        if self._turn.locked():
            async with asyncio.timeout(patience):
                await self._turn.acquire()
        else:
            await self._turn.acquire()
        line = self._free.pop() if self._free else self._new()
        try:
            yield line
        except BaseException:
            # Given up in the middle, and perhaps twice at once, which httpx does not clean up after.
            self._hang_up(line)
            raise
        else:
            self._free.append(line)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Let go of those that are free."""
        while self._free:
            self._hang_up(self._free.pop())
        await asyncio.gather(*self._leaving)

    def _hang_up(self, line: httpx.AsyncClient) -> None:
        # In a task of its own, which nobody cancels.
        leaving = asyncio.create_task(line.aclose())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _new(self) -> httpx.AsyncClient:
        # Without time-outs of its own: the caller's is for the whole, and a body that trickles is no answer.
        return httpx.AsyncClient(
            base_url=self._url,
            headers=self._headers,
            timeout=None,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEPT_SECONDS),
            verify=self._trust,
            trust_env=False,
        )


async def _exchanged(line: httpx.AsyncClient, request: httpx.Request) -> tuple[int, bytes]:
    response = await line.send(request, stream=True)
    try:
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _LARGEST_ANSWER:
                raise ErrorAnswer(f"answered more than {_LARGEST_ANSWER} bytes")
        return response.status_code, bytes(content)
    finally:
        await response.aclose()


_OUTCOMES: Final[Mapping[type[BaseException], str]] = {NotSent: "not_sent", ErrorAnswer: "error"}


async def _note_sending(sending: asyncio.Event, step: str, _info: Mapping[str, Any]) -> None:
    if step.endswith(_SENDING):
        sending.set()


def _trouble(sending: asyncio.Event, sentence: str) -> OutsideTrouble:
    return Unanswered(sentence) if sending.is_set() else NotSent(sentence)


def _read(status: int, content: bytes, reading: "Reading[A]") -> A:
    if status >= 500 or status in _TRY_AGAIN or 300 <= status < _REFUSING:
        raise ErrorAnswer(f"answered {status}")
    try:
        return reading(status, orjson.loads(content) if content else None)
    except (ValueError, KeyError, TypeError) as error:
        raise ErrorAnswer(f"answered {status} with what makes no sense") from error
