"""What happens around every RPC: trace, deadline, caller, validation, refusal; the metrics rate, errors, duration."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from chassis import clock, tracing
from chassis.access.door import Door, Gate
from chassis.access.policy import OPERATORS_MAY, Policy, policy_named
from chassis.errors import Overloaded, Refusal, Unauthenticated
from chassis.limits.limits import VOUCHER, refusal
from chassis.logs import get_logger
from chassis.metrics import counter, gauge, histogram
from chassis.status import code_of, status_of, trailers_of
from chassis.telemetry.spans import Kind, Span, Spans
from chassis.validation import validate

Context = grpc.aio.ServicerContext[Any, Any]
_Handler = Any
_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]

_OURS_TO_SEE: Final = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
_INFRASTRUCTURE: Final = "/grpc."
_SHOWS_THE_INSIDE: Final = "/grpc.channelz."
"""Infrastructure that is not for everybody: connections, peers, traffic."""

log = get_logger(__name__)


class DeadlineExceeded(Refusal):
    """The caller does not wait any more."""

    code = "deadline_exceeded"
    status = "DEADLINE_EXCEEDED"


class NotServed(Refusal):
    """The proto has this method, this release does not."""

    code = "unimplemented"
    status = "UNIMPLEMENTED"


class Interceptor(grpc.aio.ServerInterceptor):
    """The one edge between gRPC and our servicers. Everything about a method is looked up once."""

    def __init__(self, context: str, max_in_flight: int, door: Door, spans: Spans | None = None) -> None:
        self.domain = context
        self.spans = spans
        self._door = door
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self._requests = counter(context, "rpc_requests", "RPCs by how they ended", "method", "code")
        self._seconds = histogram(context, "rpc_duration_seconds", "Time of RPCs", "method")
        # Read when it is asked for: a gauge that is set twice per RPC costs more than the number is worth.
        gauge(context, "rpc_in_flight", "RPCs under way").set_function(lambda: self.in_flight)
        self._faces: dict[str, _Handler] = {}

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """The method's handler, with all of this around it."""
        name = handler_call_details.method
        if (face := self._faces.get(name)) is not None:
            return face
        handler = await continuation(handler_call_details)
        if handler is None or (name.startswith(_INFRASTRUCTURE) and not self._is_guarded(name)):
            return handler
        face = self._faces[name] = self._face_of(name, handler)
        return face

    def _is_guarded(self, name: str) -> bool:
        return name.startswith(_SHOWS_THE_INSIDE) and self._door.gate(OPERATORS_MAY) is not None

    def method(self, name: str) -> "Method":
        """What is counted of a method, and who may call it."""
        policy: Policy = OPERATORS_MAY if name.startswith(_SHOWS_THE_INSIDE) else policy_named(name)
        return Method(self, name.lstrip("/"), self._door.gate(policy), self._requests, self._seconds)

    def _face_of(self, name: str, handler: _Handler) -> _Handler:
        kind = f"{_word(handler.request_streaming)}_{_word(handler.response_streaming)}"
        behaviour = getattr(handler, kind)
        around = _streamed if inspect.isasyncgenfunction(behaviour) else _answered
        check: Callable[[Any], Any] = _checked_stream if handler.request_streaming else _checked
        make: Callable[..., _Handler] = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(
            around(self.method(name), behaviour, check),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class Method:
    """One RPC method: its gate (None: nobody is asked who they are) and bound metrics; as long as the server lives."""

    __slots__ = ("_counts", "_requests", "edge", "gate", "name", "seconds")

    def __init__(self, edge: Interceptor, name: str, gate: Gate | None, requests: Any, seconds: Any) -> None:
        self.edge = edge
        self.name = name
        self.gate = gate
        self.seconds = seconds.labels(name)
        self._requests = requests
        self._counts: dict[str, Any] = {"OK": requests.labels(name, "OK")}

    async def enter(self, context: Context) -> None:
        """Find out who calls, whether they may, and whether they have called too often. Raises the Refusal."""
        if self.gate is None:
            return
        await self.gate.enter(_said(context, "authorization"))
        if (verdict := await self.gate.count(_said(context, VOUCHER))) is None:
            return
        told = (("ratelimit", verdict.told), ("ratelimit-policy", verdict.rate.policy))
        context.set_trailing_metadata((*(context.trailing_metadata() or ()), *told))
        if not verdict.is_admitted:
            raise refusal(verdict)

    def ended(self, code: str, seconds: float) -> None:
        """Count one RPC."""
        if (count := self._counts.get(code)) is None:
            count = self._counts[code] = self._requests.labels(self.name, code)
        count.inc()
        self.seconds.observe(seconds)


class _Call:
    """One RPC from its first to its last moment."""

    __slots__ = ("code", "context", "method", "span", "started_at")

    def __init__(self, method: Method, context: Context) -> None:
        self.method = method
        self.context = context
        self.code = "OK"
        self.span: Span | None = None
        self.started_at = clock.monotonic()
        method.edge.in_flight += 1

    def admit(self) -> None:
        """Take the trace up; raises when the caller is gone, or when too many others are here."""
        context = self.context
        traceparent = self._traced(_trace_from(context))
        # A task, and with it a context of its own, is made for every RPC: nothing to be set back.
        tracing.current.set(traceparent)
        context.set_trailing_metadata((("x-trace-id", tracing.trace_id_of(traceparent)),))
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceeded("the deadline was over before the work began")
        if self.method.edge.in_flight > self.method.edge.max_in_flight:
            raise Overloaded("too many calls are under way; try again shortly")

    async def refuse(self, error: Exception) -> None:
        """Tell the caller why not. Always raises."""
        if isinstance(error, grpc.aio.AbortError):
            self.code = _name_of(self.context.code())
            raise error
        if isinstance(error, NotImplementedError):  # raised by the generated servicer
            error = NotServed(f"{self.method.name} is not served")
        status = status_of(error, self.method.edge.domain)
        code = code_of(status)
        self.code = code.name
        self._log(error)
        trailers = (*(self.context.trailing_metadata() or ()), *trailers_of(status))
        await self.context.abort(code, status.message, trailers)

    def end(self) -> None:
        """Count it."""
        self.method.edge.in_flight -= 1
        self.method.ended(self.code, clock.monotonic() - self.started_at)
        if self.span is not None:
            self._leave_span(self.span)

    def _traced(self, traceparent: str) -> str:
        if (spans := self.method.edge.spans) is None:
            return traceparent
        self.span = spans.begin_if_sampled(traceparent)
        return self.span.traceparent if self.span is not None else traceparent

    def _leave_span(self, span: Span) -> None:
        if (spans := self.method.edge.spans) is not None:
            told = {"rpc.system": "grpc", "rpc.method": self.method.name, "rpc.grpc.status_code": self.code}
            spans.end(span, self.method.name, Kind.SERVER, told, error=self.code if self.code in _OURS_TO_SEE else "")

    def _log(self, error: Exception) -> None:
        if not isinstance(error, Refusal):
            log.error("rpc failed", method=self.method.name, error_type=type(error).__name__, exc_info=error)
            return
        tell = log.warning if self.code in _OURS_TO_SEE else log.info
        tell("rpc refused", method=self.method.name, code=self.code, reason=error.code, message=error.message)


def _answered(method: Method, behaviour: Any, check: Any) -> Any:
    """Around a method that is a coroutine: one answer, or a stream that it writes itself."""

    async def answer(request: Any, context: Context) -> Any:
        call = _Call(method, context)
        try:
            call.admit()
            if method.gate is not None:
                await method.enter(context)
            return await behaviour(check(request), context)
        except asyncio.CancelledError:
            call.code = "CANCELLED"
            raise
        except Exception as error:  # an edge: whatever went wrong becomes a status, and nothing else leaks
            await call.refuse(error)
        finally:
            call.end()

    return answer


def _streamed(method: Method, behaviour: Any, check: Any) -> Any:
    """Around a method that is an asynchronous generator of answers."""

    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        call = _Call(method, context)
        try:
            call.admit()
            if method.gate is not None:
                await method.enter(context)
            async for response in behaviour(check(request), context):
                yield response
        except (asyncio.CancelledError, GeneratorExit):
            call.code = "CANCELLED"
            raise
        except Exception as error:  # an edge, as above
            await call.refuse(error)
        finally:
            call.end()

    return answer


def _checked(request: Message) -> Message:
    validate(request)
    return request


async def _checked_stream(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        validate(request)
        yield request


def _trace_from(context: Context) -> str:
    traceparent = x_trace_id = None
    for key, value in context.invocation_metadata() or ():
        if key == "traceparent":
            traceparent = str(value)
        elif key == "x-trace-id":
            x_trace_id = str(value)
    return tracing.from_headers(traceparent, x_trace_id)


def _said(context: Context, name: str) -> str:
    """Who says two things about who they are has said nothing."""
    said = [str(value) for key, value in context.invocation_metadata() or () if key == name]
    if len(said) > 1:
        raise Unauthenticated(f"there is more than one {name}")
    return said[0] if said else ""


def _name_of(code: Any) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")


def _word(is_streaming: bool) -> str:
    return "stream" if is_streaming else "unary"
