"""Spans to a collector, by OTLP over gRPC; the only module that knows OpenTelemetry's SDK.

What is done must never wait for what is told of it: spans go through a bounded queue, a thread of the SDK's own sends
them in batches, and those that find no room or no collector are counted and gone.
"""

import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from chassis import ids, tracing
from chassis.logs import get_logger
from chassis.metrics import counter, gauge
from chassis.telemetry.spans import Ended, Kind

MOST_WAITING: Final = 4_096
"""Spans in memory; beyond these new ones are dropped."""
_BATCH: Final = 512
_EVERY_MS: Final = 1_000
_PATIENCE_SECONDS: Final = 5.0
"""How long a batch is tried for, while the collector does not take it."""
_LAST_SECONDS: Final = 2.0
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {kind: SpanKind[kind.name] for kind in Kind}
_ROOT: Final = Context()

log = get_logger(__name__)


class Export:
    """The sink of a process's spans; its metrics are `<context>_spans_total` and `<context>_spans_waiting`."""

    def __init__(self, endpoint: str, context: str, exporter: SpanExporter | None = None) -> None:
        outcomes = counter(context, "spans", "Spans by what became of them", "outcome")
        self._dropped = outcomes.labels("dropped")
        self._room = _Room(MOST_WAITING)
        gauge(context, "spans_waiting", "Spans that wait to be sent").set_function(lambda: self._room.taken)
        sender = exporter or OTLPSpanExporter(endpoint=endpoint, timeout=_PATIENCE_SECONDS)
        self._counted = _Counted(sender, outcomes.labels("sent"), outcomes.labels("failed"), self._room)
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=_resource(context), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(self._counted, MOST_WAITING, _EVERY_MS, _BATCH, _PATIENCE_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("order-system")

    def take(self, ended: Ended) -> None:
        """Queue it; drop it when the queue is full."""
        if not self._room.enter():
            self._dropped.inc()
            return
        own = context_of(ended.span.traceparent)
        self._ids.give(own)
        span = self._tracer.start_span(
            ended.name,
            _around(ended.span.parent),
            _KINDS[ended.kind],
            dict(ended.attributes),
            [Link(context_of(link)) for link in ended.links],
            ended.span.began_ns,
        )
        if ended.error:
            span.set_status(Status(StatusCode.ERROR, ended.error))
        span.end(ended.ended_ns)

    def close(self) -> None:
        """Send what is left; a collector that is away is not waited for."""
        last = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        last.start()
        if not self._counted.is_away:
            last.join(_LAST_SECONDS)


def context_of(traceparent: str) -> SpanContext:
    """A valid traceparent as OpenTelemetry's SDK has it."""
    trace_id, span_id = tracing.trace_id_of(traceparent), traceparent[36:52]
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_SAMPLED)


def _around(parent: str) -> Context:
    return set_span_in_context(NonRecordingSpan(context_of(parent)), _ROOT) if parent else _ROOT


def _resource(context: str) -> Resource:
    return Resource.create(
        {
            "service.name": context,
            "service.namespace": "order-system",
            "service.version": version("order-system"),
            "service.instance.id": ids.new_id(),
        }
    )


class _GivenIds(IdGenerator):
    """The ids that the traceparents have already, which went out before their spans ended."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, context: SpanContext) -> None:
        """Of the next span on this thread."""
        self._given.context = context

    def generate_span_id(self) -> int:
        span_id: int = self._given.context.span_id
        return span_id

    def generate_trace_id(self) -> int:
        trace_id: int = self._given.context.trace_id
        return trace_id


class _Room:
    """How many spans there may be between their end and the collector's answer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.taken = 0

    def enter(self) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if self.taken >= self._most:
                return False
            self.taken += 1
            return True

    def leave(self, spans: int) -> None:
        """So many are no longer ours."""
        with self._lock:
            self.taken -= spans


class _Counted(SpanExporter):
    """Counts what the collector took and what it did not, and says once when that changes."""

    def __init__(self, sender: SpanExporter, sent: Any, failed: Any, room: _Room) -> None:
        self._sender = sender
        self._sent = sent
        self._failed = failed
        self._room = room
        self.is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """On the SDK's thread."""
        result = SpanExportResult.FAILURE
        try:
            result = self._sender.export(spans)
        finally:
            self._room.leave(len(spans))
            self._note(result is SpanExportResult.SUCCESS, len(spans))
        return result

    def _note(self, is_taken: bool, spans: int) -> None:
        (self._sent if is_taken else self._failed).inc(spans)
        if is_taken and self.is_away:
            log.info("spans are taken again")
        elif not is_taken and not self.is_away:
            log.warning("spans are not taken, and dropped until they are")
        self.is_away = not is_taken

    def shutdown(self) -> None:
        """Send nothing more."""
        self._sender.shutdown()
