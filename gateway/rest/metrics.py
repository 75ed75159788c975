"""What the gateway counts: requests by route, and the batches that requests travel in."""

from collections.abc import Callable
from typing import Any

from chassis.metrics import counter, gauge, histogram

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class HttpMetrics:
    """Rate, errors and duration by route."""

    def __init__(self) -> None:
        self._requests = counter("gateway", "http_requests", "Answered requests", "route", "method", "code")
        self._seconds = histogram(
            "gateway", "http_request_duration_seconds", "From a request's head to its answer", "route", "method"
        )
        self.in_flight = 0
        in_flight = gauge("gateway", "http_requests_in_flight", "Requests that are being answered")
        in_flight.set_function(lambda: self.in_flight)
        self._bound: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def answered(self, route: str, method: str, code: int, seconds: float) -> None:
        """A request was answered; `route` is a template, never a path, and `method` a known one."""
        key = (route, method, code)
        if (bound := self._bound.get(key)) is None:
            bound = self._requests.labels(route, method, str(code)), self._seconds.labels(route, method)
            self._bound[key] = bound
        requests, durations = bound
        requests.inc()
        durations.observe(seconds)


class BatchMetrics:
    """How well requests are gathered."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        self.size = histogram("gateway", "batch_requests", "Requests that travel in one batch", buckets=_BATCH_SIZES)
        gauge("gateway", "batched_requests_waiting", "Requests that wait for their result").set_function(waiting)
