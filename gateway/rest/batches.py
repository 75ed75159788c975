"""Gathers concurrent requests into batches: the next one fills while those before it are being stored.

A call of its own costs a request more than all the rest of its way; in a batch the call is shared. Alone, a request
is sent at once; batches leave a few milliseconds apart, and under load they grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from chassis.limits.limits import VOUCHER
from chassis.logs import get_logger
from chassis.telemetry.spans import Batch, Kind, Spans
from gateway.rest.metrics import BatchMetrics
from gateway.rest.problems import Problem, overloaded

log = get_logger(__name__)

BATCH_BYTES = 2 << 20
"""What the bodies of a batch may come to, so that it stays below what a gRPC server takes in one message."""

WAITING_BYTES = 64 << 20
"""What the bodies of all waiting requests may come to; more requests are refused."""

_APART_SECONDS = 0.012
"""Batches leave at least so long after each other; a lone request goes at once."""


@dataclass(slots=True, eq=False)
class Entry:
    """One request on its way through a batch."""

    fields: dict[str, Any]
    size: int
    answer: "asyncio.Future[Any]"
    seconds: float
    """How long its batch may take over it."""
    queued_at: float
    """When it began to wait for a batch, by the loop's clock."""
    voucher: str = ""
    """What shows the service that the request was counted."""
    stored: Any = None
    """The result so far, when it is not the last word."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is gathered, and how much may wait."""

    in_flight: int
    """Batches that are being stored at one time."""
    batch: int
    """Entries a batch."""
    waiting: int
    """Requests without an answer; more are refused."""
    queue_seconds: float = 2.0
    """How long requests may wait to be handed on; while they wait longer, new ones are refused."""


class Batches:
    """Carries entries through one streaming call, `call(message of entries)`."""

    def __init__(self, call: Any, message: Callable[..., Any], bounds: Bounds, spans: Spans | None = None) -> None:
        self._call = call
        self._message = message
        self._bounds = bounds
        self._spans = spans
        self._queue: deque[Entry] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._being_stored = 0
        self._is_woken = False
        self._sent_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._metrics = BatchMetrics(lambda: self._waiting)

    async def result_of(self, fields: dict[str, Any], size: int, seconds: float, voucher: str = "") -> Any:
        """The last result that the stream gives for these fields; when it breaks, the one before, or its error.

        Raises Problem when too many wait, and AioRpcError. A caller that goes away cancels nothing.
        """
        now = self._loop.time()
        if not self._has_room(size, now):
            raise _overload()
        entry = Entry(fields, size, self._loop.create_future(), seconds, now, voucher)
        self._queue.append(entry)
        self._wake()
        self._waiting += 1
        self._waiting_bytes += size
        try:
            return await entry.answer
        finally:
            self._waiting -= 1
            self._waiting_bytes -= size

    def _has_room(self, size: int, now: float) -> bool:
        """Whether one more would still be answered in time: those before it are, and there is memory for it."""
        if self._waiting >= self._bounds.waiting or self._waiting_bytes + size > WAITING_BYTES:
            return False
        return not self._queue or now - self._queue[0].queued_at <= self._bounds.queue_seconds

    def _wake(self) -> None:
        """Send at the end of this turn of the loop at the earliest: what arrived together leaves together."""
        if self._queue and not self._is_woken and self._being_stored < self._bounds.in_flight:
            self._is_woken = True
            self._loop.call_at(self._sent_at + _APART_SECONDS, self._send)

    def _send(self) -> None:
        self._is_woken = False
        self._give_up_on_the_oldest()
        while self._queue and self._being_stored < self._bounds.in_flight:
            self._sent_at = self._loop.time()
            self._being_stored += 1
            batch = self._next_batch()
            self._metrics.size.observe(len(batch))
            task = self._loop.create_task(self._carry(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _give_up_on_the_oldest(self) -> None:
        """The queue is bounded by time: what a service manages in a second is not known here.

        An order that comes to its turn when its client has given up, and asks again, is work for nobody; under a storm
        of retries there would be no other.
        """
        too_old = self._loop.time() - self._bounds.queue_seconds
        while self._queue and self._queue[0].queued_at < too_old:
            entry = self._queue.popleft()
            if not entry.answer.done():
                entry.answer.set_exception(_overload())

    def _next_batch(self) -> list[Entry]:
        batch = [self._queue.popleft()]
        size = batch[0].size
        while self._queue and len(batch) < self._bounds.batch and size + self._queue[0].size <= BATCH_BYTES:
            size += self._queue[0].size
            batch.append(self._queue.popleft())
        return batch

    async def _carry(self, batch: Sequence[Entry]) -> None:
        unstored = len(batch)
        span = None if self._spans is None else _linked(self._spans, batch)
        try:
            message = self._message(entries=[entry.fields for entry in batch])
            # Where one request was counted here, all were.
            metadata = ((VOUCHER, batch[0].voucher),) if batch[0].voucher else ()
            if span is not None:
                metadata = (*metadata, ("traceparent", span.span.traceparent))
            async for response in self._call(message, metadata=metadata or None, timeout=_patience(batch)):
                unstored -= _take_results(batch, response.results)
                if unstored == 0:
                    unstored = -1
                    self._has_stored()
        except grpc.aio.AioRpcError as error:
            _break_off(batch, error)
        finally:
            if unstored > 0:
                self._has_stored()
            _break_off(batch, None)
            if span is not None:
                span.end({"batch.size": len(batch)})

    def _has_stored(self) -> None:
        """What is left of the batch is waiting, not work: the next one may go."""
        self._being_stored -= 1
        self._wake()


def _linked(spans: Spans, batch: Sequence[Entry]) -> Batch | None:
    """A span for the call of a batch with somebody in it who is looked at."""
    span = spans.batch("batch of orders", Kind.CLIENT)
    for entry in batch:
        span.link(entry.fields.get("traceparent", ""))
    return span if span.is_told else None


def _overload() -> Problem:
    return overloaded("More requests are waiting than will be answered in time.")


def _patience(batch: Sequence[Entry]) -> float:
    return max(entry.seconds for entry in batch)


def _take_results(batch: Sequence[Entry], results: Sequence[Any]) -> int:
    """Hands out results; how many entries were heard of for the first time."""
    first_heard = 0
    for result in results:
        entry = batch[result.index]
        first_heard += entry.stored is None
        entry.stored = result
        if result.final and not entry.answer.done():
            entry.answer.set_result(result)
    return first_heard


def _break_off(batch: Sequence[Entry], error: grpc.aio.AioRpcError | None) -> None:
    """The stream has ended: who is stored is told so, the others hear why they are not."""
    lost = [entry for entry in batch if not entry.answer.done()]
    if lost:
        log.warning("batch_broke_off", entries=len(batch), unanswered=len(lost), error=str(error and error.code()))
    for entry in lost:
        if entry.stored is not None:
            entry.answer.set_result(entry.stored)
        else:
            entry.answer.set_exception(error or _silence())


def _silence() -> grpc.aio.AioRpcError:
    """A stream that ended well without a word about an entry."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)
