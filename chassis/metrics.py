"""Prometheus metrics under the context's name, with children bound once instead of looked up each time."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

from chassis import clock
from chassis.access.settings import AccessSettings

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for how long something took."""
SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""Buckets for how many went together."""
_SUCCESSION_SECONDS: Final = 0.2
_SUCCESSION_TRIES: Final = 1_500
_PAUSE: Final = threading.Event()  # never set: `wait` on it is a pause


@cache
def counter(context: str, name: str, description: str, *labels: str) -> Counter:
    """The counter `<context>_<name>_total`; the same one when asked again."""
    return Counter(f"{context}_{name}", description, labels)


@cache
def gauge(context: str, name: str, description: str, *labels: str) -> Gauge:
    """The gauge `<context>_<name>`; the same one when asked again."""
    return Gauge(f"{context}_{name}", description, labels)


@cache
def histogram(
    context: str, name: str, description: str, *labels: str, buckets: tuple[float, ...] = SECONDS
) -> Histogram:
    """The histogram `<context>_<name>`; the same one when asked again."""
    return Histogram(f"{context}_{name}", description, labels, buckets=buckets)


def start_metrics_server(port: int, host: str, settings: AccessSettings, *, waits: bool = False) -> None:
    """Answer GET /metrics, on a thread of its own; by TLS where there is a certificate. Raises OSError.

    A successor `waits` for the port, which its predecessor has until it ends.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each of ours that nobody reads
    serve = partial(start_http_server, port, addr=host, **_tls_of(settings))
    try:
        serve()
    except OSError as error:
        if not waits or error.errno != errno.EADDRINUSE:
            raise
        threading.Thread(target=_once_free, args=(serve,), name="metrics-port", daemon=True).start()


def _once_free(serve: Callable[[], object]) -> None:
    for _ in range(_SUCCESSION_TRIES):
        _PAUSE.wait(_SUCCESSION_SECONDS)
        with suppress(OSError):
            serve()
            return


def _tls_of(settings: AccessSettings) -> dict[str, Any]:
    if settings.tls_cert_file is None:
        return {}
    demanded = settings.tls_client_ca_file
    files = {"certfile": str(settings.tls_cert_file), "keyfile": str(settings.tls_key_file)}
    return {**files, "client_cafile": str(demanded), "client_auth_required": True} if demanded else {**files}


class OutboxMetrics:
    """What the relay has before it and behind it."""

    def __init__(self, context: str) -> None:
        self._records = counter(context, "outbox_relayed", "Events handed to the broker")
        self._rounds = histogram(context, "outbox_round_records", "Events in one relay round", buckets=SIZES)
        self._depth = gauge(context, "outbox_depth", "Events that wait in the outbox")
        self._age = gauge(context, "outbox_age_seconds", "Age of the oldest event in the outbox")

    def round(self, records: int) -> None:
        """A round was sent."""
        self._records.inc(records)
        self._rounds.observe(records)

    def backlog(self, depth: int, age_seconds: float) -> None:
        """What stands in the outbox now."""
        self._depth.set(depth)
        self._age.set(age_seconds)


class BatcherMetrics:
    """How large the batches of commands are, and how long they take."""

    def __init__(self, context: str, name: str) -> None:
        size = histogram(context, "batch_commands", "Commands in one batch", "batcher", buckets=SIZES)
        seconds = histogram(context, "batch_duration_seconds", "Time of one batch of commands", "batcher")
        self._size, self._seconds = size.labels(name), seconds.labels(name)

    @contextmanager
    def batch(self, size: int) -> Iterator[None]:
        """Around the work on a batch."""
        started = clock.monotonic()
        try:
            yield
        finally:
            self._size.observe(size)
            self._seconds.observe(clock.monotonic() - started)


class ConsumerMetrics:
    """What came in and what became of it: received = applied + duplicate + ignored + parked."""

    def __init__(self, context: str, consumer: str) -> None:
        self._consumer = consumer
        received = counter(context, "consumer_received", "Events read from the broker", "consumer")
        fates = counter(context, "consumer_events", "Events by what became of them", "consumer", "fate")
        size = histogram(context, "consumer_batch_events", "Events in one batch", "consumer", buckets=SIZES)
        seconds = histogram(context, "consumer_batch_duration_seconds", "Time of one batch of events", "consumer")
        parked = gauge(context, "consumer_parked", "Dead letters that wait", "consumer")
        self._lag = gauge(context, "consumer_lag", "Events not yet read", "consumer", "topic", "partition")
        self._measured: set[tuple[str, str]] = set()
        self._received, self._parked = received.labels(consumer), parked.labels(consumer)
        self._size, self._seconds = size.labels(consumer), seconds.labels(consumer)
        names = ("applied", "duplicate", "ignored", "parked", "ignored_on_retry")
        self._fates = {fate: fates.labels(consumer, fate) for fate in names}

    def received(self, events: int) -> None:
        """A poll brought events."""
        self._received.inc(events)

    def fate(self, fate: str, events: int) -> None:
        """What became of some: applied, duplicate, ignored, parked."""
        self._fates[fate].inc(events)

    def batch(self, size: int, seconds: float) -> None:
        """A batch was committed."""
        self._size.observe(size)
        self._seconds.observe(seconds)

    def parked(self, letters: int) -> None:
        """How many dead letters wait now."""
        self._parked.set(letters)

    def lag(self, topic: str, partition: int, events: int) -> None:
        """How far behind the end of a partition we are."""
        self._lag.labels(self._consumer, topic, str(partition)).set(events)
        self._measured.add((topic, str(partition)))

    def forget_lag(self) -> None:
        """The partitions are shared out anew: what another reads is not to be told here as well."""
        while self._measured:
            self._lag.remove(self._consumer, *self._measured.pop())


class JobMetrics:
    """Whether what time makes us do is done in time; told by the instance that does it."""

    def __init__(self, context: str) -> None:
        self._lag = gauge(context, "job_lag_seconds", "Time by which the last run of a job began too late", "job")
        self._done = gauge(context, "job_done_timestamp_seconds", "When a job was last done, Unix time", "job")
        self._failures = counter(context, "job_failures", "Runs of a job that failed", "job")

    def began(self, job: str, late_seconds: float) -> None:
        """A run begins."""
        self._lag.labels(job).set(max(0.0, late_seconds))

    def done(self, job: str) -> None:
        """It came to its end."""
        self._done.labels(job).set(clock.unix_ms() / 1000)

    def failed(self, job: str) -> None:
        """It did not."""
        self._failures.labels(job).inc()


class CallMetrics:
    """How many calls to the outside are under way, and how many outcomes are recorded at once."""

    def __init__(self, context: str, name: str) -> None:
        self._running = gauge(context, "calls_in_flight", "Calls to the outside under way", "calls").labels(name)
        self._made = counter(context, "calls_answered", "Calls to the outside with an outcome", "calls").labels(name)
        size = histogram(
            context, "calls_batch_outcomes", "Outcomes recorded in one transaction", "calls", buckets=SIZES
        )
        self._size = size.labels(name)

    def running(self, calls: int) -> None:
        """How many are under way now."""
        self._running.set(calls)

    def batch(self, size: int) -> None:
        """Outcomes were recorded."""
        self._made.inc(size)
        self._size.observe(size)
