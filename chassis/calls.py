"""Calls to outside parties: decided in a transaction, made outside of any, answered in batches.

A call is a row, leased at once by the process that wrote it, or later by whoever finds it due. A lease that ran out
means that its caller died, and that nobody knows what became of the call: who takes it over must ask first.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import orjson
from sqlalchemy import Connection

from chassis import clock, ids
from chassis.database import Database, DatabaseAway, is_worth_another_try, rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.metrics import CallMetrics

O = TypeVar("O")  # noqa: E741  (the outcome of a call)

_POLL_SECONDS: Final = 0.5
_SWEEP_SECONDS: Final = 0.1
_RECORD: Final = 1_000
_BACKLOG: Final = 5_000
"""Calls waiting in one process for a place; more than these are left to be found due."""

log = get_logger(__name__)


@dataclass(slots=True)
class Call:
    """One call to be made. `key` names it to the other party, `subject` is the aggregate it is about."""

    kind: str
    key: str
    subject: str
    payload: dict[str, Any]
    attempt: int = 1
    taken_over: bool = False
    leased_at: float = field(default_factory=clock.monotonic)
    started_at: float = 0.0
    is_told_slow: bool = False


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that was decided: due at once, or in `due_in_seconds`."""

    kind: str
    key: str
    subject: str
    payload: dict[str, Any]
    due_in_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more is to be said: the row goes."""


@dataclass(frozen=True, slots=True)
class Again:
    """The call is to be made again, as the next attempt, with another payload where one is given."""

    after_seconds: float
    payload: dict[str, Any] | None = None


Verdict = Done | Again
Recorder = Callable[[Connection, Sequence[tuple[Call, Any]]], Sequence[Verdict]]
"""`record(connection, [(call, outcome or exception)])`: writes what was answered, says of each call what is next."""


class Calls(Generic[O]):
    """Makes calls, at most `in_flight` at once, and has their outcomes recorded in batches."""

    def __init__(
        self,
        database: Database,
        *,
        context: str,
        name: str,
        caller: Callable[[Call], Awaitable[O]],
        record: Recorder,
        recorded: Callable[[], None],
        in_flight: int,
        lease_seconds: float,
        pace_seconds: float = 0.0,
        on_slow: Callable[[Connection, Sequence[Call]], None] | None = None,
        slow_after: float = 0.2,
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`closing` ends what callers hold open; it runs on their event loop when the last outcome is recorded."""
        self._database = database
        self._name = f"{context}.{name}"
        self._caller = caller
        self._record = record
        self._recorded = recorded
        self._in_flight = in_flight
        self._lease_seconds = lease_seconds
        self._pace_seconds = pace_seconds
        self._recorded_at = -pace_seconds
        self._on_slow = on_slow
        self._slow_after = slow_after
        self._closing = closing
        self._owner = ids.new_id()
        self._metrics = CallMetrics(context, name)
        self._waiting: deque[Call] = deque()
        self._running: dict[tuple[str, str], Call] = {}
        self._outcomes: list[tuple[Call, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_recording = False
        self._is_stopping = False
        self._loop = asyncio.new_event_loop()
        self._stirred = asyncio.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{self._name}-calls", daemon=True)

    def start(self) -> None:
        """Begin to call, on an event loop in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more, wait (bounded) for what is under way, record it, return."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._begin_to_stop)
            self._ended.wait(timeout=self._lease_seconds)
        elif not self._loop.is_closed():
            self._loop.close()

    def add(self, connection: Connection, calls: Sequence[NewCall]) -> list[Call]:
        """Write calls; those due now are leased to this process and must be handed to `dispatch` after the commit.

        A call whose (kind, key) is there already is not written again, and not returned.
        """
        if not calls:
            return []
        has_place = self._thread.is_alive() and len(self._waiting) + len(calls) < _BACKLOG and not self._is_stopping
        leases = [self._lease_seconds if has_place and call.due_in_seconds <= 0 else None for call in calls]
        leased_at = clock.monotonic()  # taken first: here a lease never seems to last longer than it does there
        rows = rows_of(
            connection,
            "INSERT INTO calls (kind, key, subject, payload, due_at, leased_until, lease_owner)"
            " SELECT kind, key, subject, payload, now() + make_interval(secs => due),"
            " clock_timestamp() + make_interval(secs => lease),"
            " CASE WHEN lease IS NOT NULL THEN :owner END"
            " FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:subjects AS text[]),"
            " CAST(:payloads AS jsonb[]), CAST(:dues AS float8[]), CAST(:leases AS float8[]))"
            " AS call (kind, key, subject, payload, due, lease) ORDER BY kind, key"
            " ON CONFLICT DO NOTHING RETURNING kind, key",
            kinds=[call.kind for call in calls],
            keys=[call.key for call in calls],
            subjects=[call.subject for call in calls],
            payloads=[orjson.dumps(call.payload).decode() for call in calls],
            dues=[call.due_in_seconds for call in calls],
            leases=leases,
            owner=self._owner,
        )
        written = {(row.kind, row.key) for row in rows}
        return [
            Call(call.kind, call.key, call.subject, call.payload, leased_at=leased_at)
            for call, lease in zip(calls, leases, strict=True)
            if lease is not None and (call.kind, call.key) in written
        ]

    def drop(self, connection: Connection, kind: str, keys: Sequence[str]) -> None:
        """Have calls not made that nobody needs any more; one that is under way is made, and its outcome recorded."""
        if keys:
            run_sql(
                connection,
                "DELETE FROM calls WHERE kind = :kind AND key = ANY(CAST(:keys AS text[]))",
                kind=kind,
                keys=list(keys),
            )

    def dispatch(self, calls: Sequence[Call]) -> None:
        """Make calls that were written and committed; from any thread."""
        if calls:
            self._loop.call_soon_threadsafe(self._take, calls)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._attend())
            if self._closing is not None:
                self._loop.run_until_complete(self._closing())
        finally:
            self._loop.close()
            self._ended.set()

    async def _attend(self) -> None:
        polled_at = 0.0
        while not (self._is_stopping and not self._running and not self._outcomes and not self._is_recording):
            await self._pause()
            if not self._is_stopping and clock.monotonic() >= polled_at + _POLL_SECONDS:
                polled_at = clock.monotonic()
                await self._find_due()
            self._sweep_slow()

    async def _pause(self) -> None:
        """Looking for slow calls is worth waking up for only while calls are under way."""
        if self._running or self._outcomes or self._is_stopping:
            await asyncio.sleep(_SWEEP_SECONDS)
            return
        self._stirred.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), _POLL_SECONDS)

    def _begin_to_stop(self) -> None:
        self._is_stopping = True
        self._stirred.set()
        self._waiting.clear()  # their leases end, and somebody else asks first

    async def _find_due(self) -> None:
        room = self._in_flight * 2 - len(self._waiting)
        if room <= 0:
            return
        try:
            self._take(await self._database.awrite(lambda connection: self._lease_due(connection, room)))
        except Exception as error:  # an edge: the next poll tries again
            log.warning("due calls could not be read", calls=self._name, error=str(error))

    def _lease_due(self, connection: Connection, limit: int) -> list[Call]:
        leased_at = clock.monotonic()
        rows = rows_of(
            connection,
            "UPDATE calls SET leased_until = clock_timestamp() + make_interval(secs => :seconds), lease_owner = :owner"
            " FROM (SELECT kind, key, leased_until FROM calls"
            " WHERE GREATEST(due_at, COALESCE(leased_until, due_at)) <= now()"
            " ORDER BY GREATEST(due_at, COALESCE(leased_until, due_at)) LIMIT :limit FOR UPDATE SKIP LOCKED) AS due"
            " WHERE calls.kind = due.kind AND calls.key = due.key"
            " RETURNING calls.kind, calls.key, subject, payload, attempt, due.leased_until IS NOT NULL AS taken_over",
            seconds=self._lease_seconds,
            owner=self._owner,
            limit=limit,
        )
        return [
            Call(row.kind, row.key, row.subject, row.payload, row.attempt, row.taken_over, leased_at) for row in rows
        ]

    def _take(self, calls: Sequence[Call]) -> None:
        self._waiting.extend(calls)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._in_flight and not self._is_stopping:
            call = self._waiting.popleft()
            if clock.monotonic() > call.leased_at + self._lease_seconds / 2:
                continue  # too old to be surely ours until it is answered
            call.started_at = clock.monotonic()
            self._running[call.kind, call.key] = call
            self._keep(self._loop.create_task(self._make(call)))
            self._stirred.set()
        self._metrics.running(len(self._running))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        # The event loop itself holds tasks weakly only.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, call: Call) -> None:
        try:
            failpoint(f"{self._name}.before_call")
            outcome: Any = await self._caller(call)
            failpoint(f"{self._name}.after_call")
        except Exception as error:  # an edge: the recorder decides what an exception means
            outcome = error
        self._running.pop((call.kind, call.key), None)
        self._outcomes.append((call, outcome))
        self._fill()
        if not call.is_told_slow:
            self._start_recording()

    def _sweep_slow(self) -> None:
        if not self._is_recording:
            self._outcomes[:0] = [(call, _Slow()) for call in self._slow_ones()]
        self._start_recording()

    def _slow_ones(self) -> list[Call]:
        """Calls that are under way for long, each once."""
        if self._on_slow is None:
            return []
        before = clock.monotonic() - self._slow_after
        slow = [call for call in self._running.values() if call.started_at < before and not call.is_told_slow]
        for call in slow:
            call.is_told_slow = True
        return slow

    def _start_recording(self) -> None:
        if not self._is_recording and self._outcomes:
            self._is_recording = True
            self._keep(self._loop.create_task(self._record_batches()))

    async def _record_batches(self) -> None:
        """What is answered while one batch is being written makes up the next; one that fails is halved."""
        pause, size = 0.05, _RECORD
        while self._outcomes:
            await self._keep_apart()
            batch, self._outcomes = self._outcomes[:size], self._outcomes[size:]
            try:
                await self._database.awrite(lambda connection, batch=batch: self._write(connection, batch))  # type: ignore[misc]
            except Exception as error:  # an edge: what can be written is kept until it is
                size = self._keep_what_can_be_recorded(batch, error)
                if size == _RECORD:
                    pause = min(pause * 2, 2.0)
                    await asyncio.sleep(pause)
                continue
            pause, size = 0.05, _RECORD
            self._metrics.batch(len(batch))
            self._recorded()
        self._is_recording = False

    async def _keep_apart(self) -> None:
        """Batches are so far apart; what is answered alone after a pause is recorded at once."""
        left = self._recorded_at + self._pace_seconds - clock.monotonic()
        if left > 0 and not self._is_stopping:
            await asyncio.sleep(left)
        self._recorded_at = clock.monotonic()

    def _keep_what_can_be_recorded(self, batch: "list[tuple[Call, Any]]", error: Exception) -> int:
        """Put a batch back that was not written; how many outcomes the next one may have."""
        is_ours = not (isinstance(error, DatabaseAway) or is_worth_another_try(error))
        if is_ours and len(batch) == 1:
            # Its lease ends, and who takes it over asks first: it comes again without holding up its neighbours.
            log.error("an outcome cannot be recorded", calls=self._name, key=batch[0][0].key, exc_info=error)
            return _RECORD
        if not is_ours:
            log.warning("outcomes wait to be recorded", calls=self._name, size=len(batch), error=str(error))
        self._outcomes[:0] = batch
        return len(batch) // 2 if is_ours else _RECORD

    def _write(self, connection: Connection, batch: Sequence[tuple[Call, Any]]) -> None:
        slow = [call for call, outcome in batch if isinstance(outcome, _Slow)]
        answered = [(call, outcome) for call, outcome in batch if not isinstance(outcome, _Slow)]
        if slow and self._on_slow is not None:
            self._on_slow(connection, slow)
        if answered:
            verdicts = self._record(connection, answered)
            self._settle(connection, [(call, verdict) for (call, _), verdict in zip(answered, verdicts, strict=True)])
        failpoint(f"{self._name}.before_record_commit")

    def _settle(self, connection: Connection, judged: Sequence[tuple[Call, Verdict]]) -> None:
        done = [call for call, verdict in judged if isinstance(verdict, Done)]
        again = [(call, verdict) for call, verdict in judged if isinstance(verdict, Again)]
        if done:
            run_sql(
                connection,
                "DELETE FROM calls USING unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS done (kind, key)"
                " WHERE calls.kind = done.kind AND calls.key = done.key",
                kinds=[call.kind for call in done],
                keys=[call.key for call in done],
            )
        if again:
            run_sql(
                connection,
                "UPDATE calls SET attempt = attempt + 1, due_at = now() + make_interval(secs => after),"
                " leased_until = NULL, lease_owner = NULL, payload = COALESCE(again.payload, calls.payload)"
                " FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:after AS float8[]),"
                " CAST(:payloads AS jsonb[])) AS again (kind, key, after, payload)"
                " WHERE calls.kind = again.kind AND calls.key = again.key",
                kinds=[call.kind for call, _ in again],
                keys=[call.key for call, _ in again],
                after=[verdict.after_seconds for _, verdict in again],
                payloads=[None if v.payload is None else orjson.dumps(v.payload).decode() for _, v in again],
            )


@dataclass(frozen=True, slots=True)
class _Slow:
    """Stands among the outcomes for a call that takes its time, so that both are written in the order they came."""
