"""What OpenTelemetry's SDK makes of our spans, and what becomes of those that nobody takes."""

import threading
from collections.abc import Sequence
from itertools import count

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import REGISTRY

from chassis.telemetry import export
from chassis.telemetry.export import Export
from chassis.telemetry.settings import TelemetrySettings
from chassis.telemetry.spans import Kind, Spans
from chassis.telemetry.switch import spans_of
from tests.collector import Collector, Taken
from tests.waiting import until

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_NUMBERS = count(1)


class Held(SpanExporter):
    """A collector that answers when it is let go."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.go = threading.Event()
        self.is_reached = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_reached.set()
        assert self.go.wait(30)
        return self.result

    def shutdown(self) -> None:
        self.go.set()


@pytest.fixture
def context() -> str:
    """A name of its own, for metrics are the process's."""
    return f"telemetry{next(_NUMBERS)}"


def counted(context: str, outcome: str) -> float:
    return REGISTRY.get_sample_value(f"{context}_spans_total", {"outcome": outcome}) or 0.0


def waiting(context: str) -> float:
    return REGISTRY.get_sample_value(f"{context}_spans_waiting") or 0.0


def test_a_span_arrives_under_the_ids_that_its_traceparent_had_from_the_start(context: str) -> None:
    with Collector() as collector:
        spans = Spans(Export(collector.url, context))
        span = spans.begin(SAMPLED)
        spans.end(span, "work", Kind.SERVER, links=[SAMPLED], error="Broken")
        spans.close()

        (taken,) = collector.taken
    trace, caller = SAMPLED[3:35], SAMPLED[36:52]
    assert taken == Taken(
        context, "work", trace, span.traceparent[36:52], caller, frozenset({(trace, caller)}), taken.seconds, True
    )
    assert counted(context, "sent") == 1
    assert waiting(context) == 0


def test_beyond_what_may_wait_spans_are_dropped_and_counted_and_nobody_waits(context: str) -> None:
    held = Held()
    spans = Spans(Export("", context, held))

    for _ in range(export.MOST_WAITING + 7):
        spans.end(spans.begin(SAMPLED), "work")

    assert counted(context, "dropped") == 7
    assert waiting(context) == export.MOST_WAITING
    held.go.set()
    assert until(lambda: counted(context, "sent") == export.MOST_WAITING, seconds=30)
    assert waiting(context) == 0
    spans.close()


def test_what_the_collector_refuses_is_counted_as_failed(context: str) -> None:
    held = Held(SpanExportResult.FAILURE)
    held.go.set()
    spans = Spans(Export("", context, held))

    spans.end(spans.begin(SAMPLED), "work")

    assert until(lambda: counted(context, "failed") == 1, seconds=30)
    assert waiting(context) == 0
    spans.close()


def test_without_an_endpoint_there_are_no_spans() -> None:
    assert spans_of(TelemetrySettings(), "telemetry") is None
