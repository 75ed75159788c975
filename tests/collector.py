"""A place that takes spans by OTLP over gRPC: for tests within their process, and by itself to count them.

`python -m tests.collector PORT` takes them until it is ended by SIGTERM, and then prints how many they were.
"""

import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class Taken:
    """A span as it arrived; ids as hex digits, `links` as pairs of trace and span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: frozenset[tuple[str, str]]
    seconds: float
    is_error: bool

    @property
    def place(self) -> tuple[str, str]:
        """What a link to it says."""
        return self.trace_id, self.span_id


class Collector:
    """Takes spans while it is entered."""

    def __init__(self, port: int = 0, *, keeps: bool = True) -> None:
        """`keeps`: whether spans are kept, or only counted."""
        self.taken: list[Taken] = []
        self.counts: Counter[str] = Counter()
        self._keeps = keeps
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")

    @property
    def url(self) -> str:
        """What OTLP_ENDPOINT says to send spans here."""
        return f"http://127.0.0.1:{self.port}"

    def of_trace(self, trace_id: str) -> list[Taken]:
        """The spans of one trace, as far as they have arrived."""
        with self._lock:
            return [span for span in self.taken if span.trace_id == trace_id]

    def linked_to(self, trace_id: str) -> list[Taken]:
        """The spans of other traces that say that they served this one."""
        with self._lock:
            return [span for span in self.taken if any(trace == trace_id for trace, _ in span.links)]

    def Export(self, request: Any, _context: Any) -> Any:
        """Called by exporters."""
        with self._lock:
            for resource in request.resource_spans:
                service = _attribute(resource.resource, "service.name")
                for scope in resource.scope_spans:
                    self.counts[service] += len(scope.spans)
                    if self._keeps:
                        self.taken += [_taken(service, span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def stop(self) -> None:
        """Be away from now on."""
        self._server.stop(None).wait()

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _attribute(resource: Any, name: str) -> str:
    return next((str(each.value.string_value) for each in resource.attributes if each.key == name), "")


def _taken(service: str, span: Any) -> Taken:
    return Taken(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=frozenset((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        is_error=span.status.code == span.status.STATUS_CODE_ERROR,
    )


def main() -> None:
    """Take spans until SIGTERM."""
    with Collector(int(sys.argv[1]), keeps=False) as collector:
        print(collector.url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    for service, spans in sorted(collector.counts.items()):
        print(f"{service} {spans}")


if __name__ == "__main__":
    # Before any thread: whoever comes first would otherwise take the signal, and die of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
