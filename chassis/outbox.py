"""Facts out: told in the transaction that made them true, relayed to Kafka in order, deleted once acknowledged."""

import math
import threading
from collections.abc import Sequence
from typing import Final

from kafka.errors import KafkaError
from sqlalchemy import Connection

from chassis import clock, ids, leases, tracing
from chassis.bell import Bell
from chassis.brokers import AnyBrokers
from chassis.database import Database, Row, rows_of, run_sql
from chassis.envelope import Outgoing, seal
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.metrics import OutboxMetrics
from chassis.producer import Producer, Record
from chassis.telemetry.spans import Kind, Spans

_ROUND: Final = 500
_ROUND_BYTES: Final = 900_000
"""A broker takes 1 MB at once, and refuses all of what is larger, in every round again."""
_RECORD_BYTES: Final = 100
"""What a record has beside its payload, generously."""
_LEASE_SECONDS: Final = 10.0
POLL_SECONDS: Final = 1.0
"""How long the one that leads waits for somebody to wake it."""
_STANDBY_SECONDS: Final = 2.0
_LONGEST_WAIT: Final = 3_600.0
_FREE: Final = "free"
"""What one that led says when it leaves, so that another leads at once."""
_SETTLE_SECONDS: Final = 0.1
"""What was acknowledged is deleted by the next round; where none is called for, by one after this time."""
PACE_SECONDS: Final = 0.010
_REST: Final = 2.0
"""Rounds are at least so many times as far apart as one takes: on a busy machine fewer and larger ones."""
_MEASURE_SECONDS: Final = 5.0

# One statement, for it runs a hundred times a second. It does not see its own deletions, hence the second mention of
# them. Losing its commit in a crash repeats records at worst, so the commit does not wait for the disk.
_CLAIM: Final = f"""
WITH quick AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), deleted AS (
    DELETE FROM outbox WHERE id = ANY(CAST(:answered AS bigint[]))
), led AS (
    {leases.TAKE.format(name="'relay'")}
)
SELECT 0 AS id, '' AS topic, '' AS key, CAST('' AS bytea) AS payload FROM led, quick
UNION ALL (
    SELECT id, topic, key, payload FROM outbox
    WHERE id <> ALL(CAST(:answered AS bigint[])) AND EXISTS (SELECT FROM led) ORDER BY id LIMIT :limit
)
"""

log = get_logger(__name__)


def tell(connection: Connection, facts: Sequence[Outgoing], source: str) -> None:
    """Write facts to the outbox in the order given; call it after the rows they speak of are locked.

    Rule: outbox ids are drawn after the aggregate is locked, in the order of the facts.
    """
    if not facts:
        return
    at = clock.now()
    run_sql(
        connection,
        "INSERT INTO outbox (topic, key, payload) SELECT topic, key, payload FROM unnest(CAST(:topics AS text[]),"
        " CAST(:keys AS text[]), CAST(:payloads AS bytea[])) WITH ORDINALITY AS told (topic, key, payload, place)"
        " ORDER BY place",
        topics=[fact.topic for fact in facts],
        keys=[fact.key for fact in facts],
        payloads=[seal(fact, source, at) for fact in facts],
    )


class Relay:
    """Sends what stands in the outbox; one instance at a time, by a lease row. Who stands by rings for it.

    Rules (protocols: the relay): at most one event per key and round, the oldest; the next round starts when every
    record of the last is answered; never a cursor `id > last`, which would skip what commits late.
    """

    def __init__(
        self,
        database: Database,
        brokers: AnyBrokers,
        context: str,
        pace_seconds: float = PACE_SECONDS,
        *,
        may_lead: bool = True,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """One that may not lead only rings: its process has another role."""
        self._database = database
        self._may_lead = may_lead
        self._poll_seconds = poll_seconds
        self._stands_by_until = 0.0 if may_lead else math.inf
        self._bell = Bell(database, "outbox", self._look)
        self._brokers = brokers
        self._context = context
        self._owner = ids.new_id()
        self._metrics = OutboxMetrics(context)
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{context}-relay", daemon=True)
        self._producer: Producer | None = None
        self._answered: list[int] = []
        self._has_more = False
        self._is_behind = False
        self._pace = clock.Pace(pace_seconds, self._stopping.wait, _REST)
        self._measured_at = -math.inf
        self.spans: Spans | None = None

    def start(self) -> None:
        """Begin to relay, in a thread of its own."""
        self._thread.start()
        if self._may_lead:
            self._bell.start()

    def wake(self) -> None:
        """There is something to relay; from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End the present round, give the lease back, return when done."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)
        self._bell.stop()

    def _look(self, word: str) -> None:
        """Another process has something to relay, or leads no more."""
        if word == _FREE:
            self._stands_by_until = 0.0
        if not self._stands_by:
            self._woken.set()

    @property
    def _stands_by(self) -> bool:
        return clock.monotonic() < self._stands_by_until

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            try:
                self._woken.wait(self._round())
                self._woken.clear()
                pause = 0.0
            except Exception as error:  # an edge: the relay outlives whatever a round ran into
                pause = min(pause * 2 or 0.2, 5.0)
                log.warning("relay round failed", error=str(error), error_type=type(error).__name__, pause=pause)
                self._drop_producer()
                self._stopping.wait(pause)
        self._leave()

    def _round(self) -> float:
        """Relay one round, in its time; how many seconds the next one may wait for somebody to wake it."""
        self._pace.begin(at_once=self._is_behind)
        with self._pace.at_work():
            return self._relay()

    def _relay(self) -> float:
        if self._stands_by:
            self._bell.ring()
            return min(self._stands_by_until - clock.monotonic(), _LONGEST_WAIT)
        rows = self._database.write(self._claim)
        self._answered = []
        if rows is None:
            # Another instance leads. What woke us is for it, and may have come before it heard of anything.
            self._bell.ring()
            self._stands_by_until = clock.monotonic() + _STANDBY_SECONDS
            self._leave_backlog_to_another()
            return _STANDBY_SECONDS
        self._measure()
        if not rows:
            return self._poll_seconds
        failpoint(f"{self._context}.relay.before_send")
        records = [Record(row.topic, row.key, row.payload) for row in rows]
        taken = self._send(records) if self.spans is None else self._send_told(self.spans, records)
        failpoint(f"{self._context}.relay.after_send")
        # Kept for the next transaction; dying before it repeats these records, which the inboxes know.
        self._answered = [row.id for row, is_taken in zip(rows, taken, strict=True) if is_taken]
        self._metrics.round(len(rows))
        if len(self._answered) < len(rows):
            raise KafkaError(f"{len(rows) - len(self._answered)} of {len(rows)} records were not acknowledged")
        return 0.0 if self._has_more else _SETTLE_SECONDS

    def _send(self, records: Sequence[Record]) -> list[bool]:
        return self._connected().send_round(records)

    def _send_told(self, spans: Spans, records: Sequence[Record]) -> list[bool]:
        batch = spans.batch("relay round", Kind.PRODUCER)
        for record in records:
            if traceparent := tracing.sampled_in(record.value):
                told = {"messaging.destination.name": record.topic, "messaging.kafka.message.key": record.key}
                batch.join(traceparent, f"send to {record.topic}", told)
        taken = self._send(records)
        batch.end({"batch.size": len(records)}, error="" if all(taken) else "not acknowledged")
        return taken

    def _claim(self, connection: Connection) -> list[Row] | None:
        """Renew the lease, delete what the broker answered, and take the oldest event of each key; None: not ours."""
        rows = rows_of(
            connection, _CLAIM, answered=self._answered, owner=self._owner, seconds=_LEASE_SECONDS, limit=_ROUND
        )
        self._is_behind = len(rows) > _ROUND
        if not rows:
            return None
        oldest: dict[str, Row] = {}
        for row in rows[1:]:  # the first one says that we lead
            oldest.setdefault(row.key, row)
        bearable = _bearable(list(oldest.values()))
        self._has_more = self._is_behind or len(bearable) < len(rows) - 1
        return bearable

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._brokers, f"{self._context}-relay")
        return self._producer

    def _drop_producer(self) -> None:
        """A new producer has nothing of the old one's in flight, which might else arrive after its successors."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def _measure(self) -> None:
        if clock.monotonic() < self._measured_at + _MEASURE_SECONDS:
            return
        self._measured_at = clock.monotonic()
        sql = "SELECT count(*) AS depth, COALESCE(EXTRACT(epoch FROM now() - min(created_at)), 0) AS age FROM outbox"
        row = self._database.read(lambda connection: rows_of(connection, sql))[0]
        self._metrics.backlog(int(row.depth), float(row.age))

    def _leave_backlog_to_another(self) -> None:
        """What stood in the outbox when we led is no news any more, and whoever leads now tells it."""
        self._metrics.backlog(0, 0.0)
        self._measured_at = -math.inf

    def _leave(self) -> None:
        try:
            if self._may_lead:
                self._database.write(self._hand_over)
            self._bell.ring(_FREE if self._may_lead and not self._stands_by else "")
        except Exception as error:  # an edge: on the way out nothing more can be done; the lease ends by itself
            log.warning("relay could not give its lease back", error=str(error))
        self._drop_producer()

    def _hand_over(self, connection: Connection) -> None:
        if self._answered:
            run_sql(connection, "DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))", ids=self._answered)
        leases.give_back(connection, "relay", self._owner)


def _bearable(rows: list[Row]) -> list[Row]:
    """As many of the oldest as the broker takes at once, and at least one."""
    size = 0
    for place, row in enumerate(rows):
        size += len(row.payload) + _RECORD_BYTES
        if size > _ROUND_BYTES and place:
            return rows[:place]
    return rows
