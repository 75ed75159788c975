"""The ASGI application: finds who answers a request, sends the answer, and turns what went wrong into problems."""

import asyncio
import gc
from typing import Final

import grpc

from chassis import clock, tls, tracing
from chassis.access.door import Door
from chassis.access.policy import policy_named
from chassis.limits.limits import Limits
from chassis.logs import get_logger
from chassis.settings import GRPC_PORTS
from chassis.telemetry.spans import Spans
from chassis.telemetry.switch import spans_of
from gateway.live.sockets import WATCHING, Sockets
from gateway.live.upstream import Upstream, upstream_of
from gateway.rest.answers import Answer, Stream, of_problem, send_answer, send_stream
from gateway.rest.channels import Channels
from gateway.rest.compression import Compression
from gateway.rest.encoding import Writers
from gateway.rest.metrics import HttpMetrics
from gateway.rest.problems import Problem, unexplained
from gateway.rest.requests import ClientGone, Receive, Request, Scope, Send
from gateway.rest.routes import Endpoint, build_routes
from gateway.rest.routing import Match, Router
from gateway.rest.sampling import Sampling
from gateway.settings import GatewaySettings

_VERBS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CLIENT_GONE: Final = 499
"""What is counted for a request that nobody waits for any more; never sent."""

log = get_logger(__name__)


class Gateway:
    """REST in front of the services; channels and routes are made when the server starts."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._metrics = HttpMetrics()
        self._compression = Compression(settings.gateway_compress_bytes)
        self._routes: Router[Endpoint]
        self._channels: Channels
        self._upstream: Upstream
        self._sockets: Sockets
        self._spans: Spans | None = None
        self._sampling: Sampling | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one WebSocket, or the server's life from start to stop."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._sockets(scope, receive, send)

    def end_streams(self) -> None:
        """The server is about to stop: what never ends by itself ends now, so that its clients go on elsewhere."""
        self._upstream.stop()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        addresses = {context: self._settings.address_of(context) for context in GRPC_PORTS}
        self._channels = Channels(addresses, tls.credentials_of(self._settings))
        door = Door.of(self._settings, Limits.of(self._settings, "gateway", self._settings.redis))
        self._upstream = upstream_of(self._channels.of("orders"), Writers(), self._settings.gateway_max_watching)
        origins = frozenset(self._settings.cors_origins.split(","))
        self._sockets = Sockets(self._upstream, door.gate(policy_named(WATCHING)), origins)
        if (spans := spans_of(self._settings, "gateway")) is not None:
            self._spans, self._sampling = spans, Sampling(spans, self._settings.traces_sample_ratio)
        self._routes = build_routes(self._channels, self._settings, door, self._upstream, self._spans)
        # What is there now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # Requests make many objects and no cycles: looking for these every 700 objects costs a tenth of the work.
        gc.set_threshold(20_000, 20, 50)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._upstream.close_all()
        await self._channels.close()
        await door.close()
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, verb = clock.monotonic(), scope["method"]
        request = Request(scope, receive)
        span = None if self._sampling is None else self._sampling.begin(request)
        tracing.current.set(request.traceparent)
        match = self._routes.match(scope["raw_path"].decode("latin-1"))
        self._metrics.in_flight += 1
        try:
            status = await self._answer(match, verb, request, send)
        finally:
            self._metrics.in_flight -= 1
        told = verb if verb in _VERBS else "other"
        self._metrics.answered(_route(match), told, status, clock.monotonic() - started)
        if self._sampling is not None and span is not None:
            self._sampling.end(span, _route(match), told, status)

    async def _answer(self, match: Match[Endpoint] | None, verb: str, request: Request, send: Send) -> int:
        """Sends the answer and returns its status; 499 when nobody is left to hear it."""
        try:
            answer = await self._answer_of(match, verb, request)
            if isinstance(answer, Stream):
                await send_stream(send, request, self._compression.stream(answer, request))
            else:
                if verb == "GET":
                    answer = self._compression.answer(answer, request)
                await send_answer(send, request, answer)
        except ClientGone:
            return CLIENT_GONE
        except grpc.aio.AioRpcError as error:
            # Only a stream is still asking now. It stays incomplete, so that its reader can see that it is.
            log.warning("stream broke off", route=_route(match), code=error.code().name)
            return CLIENT_GONE
        return answer.status

    async def _answer_of(self, match: Match[Endpoint] | None, verb: str, request: Request) -> Answer | Stream:
        try:
            return await _asked(match, verb, request)
        except Problem as problem:
            if problem.status >= 500:
                cause = repr(problem.__cause__)
                log.warning("request not served", route=_route(match), status=problem.status, cause=cause)
            return of_problem(problem, request)
        except ClientGone:
            raise
        except Exception:  # the edge of REST, as the interceptor is that of gRPC: a bug is logged, and answered
            log.exception("request failed", route=_route(match), verb=verb)
            return of_problem(unexplained(500), request)


def _route(match: Match[Endpoint] | None) -> str:
    """As it is logged: without the path's variables, one of which may be a customer."""
    return match.template if match else "none"


async def _asked(match: Match[Endpoint] | None, verb: str, request: Request) -> Answer | Stream:
    if match is None:
        raise unexplained(404)
    request.variables = match.variables
    # The server leaves out the body of what answers HEAD.
    endpoint = match.endpoints.get("GET" if verb == "HEAD" else verb)
    if endpoint is not None:
        return await endpoint(request)
    allow = ((b"allow", match.allow.encode()),)
    if verb == "OPTIONS":
        return Answer(204, headers=allow)
    raise unexplained(405, headers=allow)
