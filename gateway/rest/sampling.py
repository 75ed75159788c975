"""Which requests are traced, and the span that each of those leaves."""

import random

from chassis import tracing
from chassis.telemetry.spans import Attributes, Kind, Span, Spans
from gateway.rest.requests import Request


class Sampling:
    """A caller's traceparent decides; where there is none, chance does, in the proportion that was set."""

    def __init__(self, spans: Spans, ratio: float) -> None:
        self._spans = spans
        self._ratio = ratio

    def begin(self, request: Request) -> Span | None:
        """The request's span, under which all goes on that is done for it; None where nobody looks."""
        told = request.header(b"traceparent")
        if told is not None and request.traceparent == told:
            span = self._spans.begin_if_sampled(told)
        elif random.random() < self._ratio:
            span = self._spans.begin_trace(tracing.sampled(request.traceparent))
        else:
            return None
        if span is not None:
            request.traceparent = span.traceparent
        return span

    def end(self, span: Span, route: str, verb: str, status: int) -> None:
        """It was answered; `route` is a template, never a path, which may name a customer."""
        told: Attributes = {"http.request.method": verb, "http.route": route, "http.response.status_code": status}
        error = str(status) if status >= 500 else ""
        self._spans.end(span, f"{verb} {route}", Kind.SERVER, told, error=error)
