"""Facts in: one poll is one transaction; what cannot be applied is parked and does not hold up its neighbours."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from sqlalchemy import Connection

from chassis import clock, dead_letters, ids, inbox, tracing
from chassis.database import Database, DatabaseAway, is_worth_another_try
from chassis.dead_letters import Letter
from chassis.envelope import Received, Undecodable, open_envelope, type_of
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.metrics import ConsumerMetrics

M = TypeVar("M", bound=Message)
L = TypeVar("L")

_POLL_RECORDS: Final = 500
_POLL_MS: Final = 1_000
_COMMIT_SECONDS: Final = 1.0
_PACE_SECONDS: Final = 0.010
_MEASURE_SECONDS: Final = 10.0

log = get_logger(__name__)


class TooEarly(Exception):
    """A fact came before the one it builds on: parked, and tried again. Raise it before anything is changed."""


class Ignore(Exception):
    """A fact about a step that was passed already: counted, nothing else. Raise it before anything is changed."""


@dataclass(frozen=True)
class Handler(Generic[M]):
    """What a fact touches, and what is made of it: `apply(loaded, received)` is pure."""

    keys: Callable[[M], Iterable[str]]
    apply: Callable[[Any, Received[M]], None]


class Room(Protocol[L]):
    """A service's way to load what facts touch and to write back what they changed."""

    def load(self, connection: Connection, keys: Sequence[str]) -> L:
        """Everything under these sorted keys, one statement per table, rows locked in key order."""

    def save(self, connection: Connection, loaded: L) -> None:
        """Write what changed, with what is to be told; raises LostUpdate when a compare-and-set misses."""

    def committed(self, loaded: L) -> None:
        """The transaction is committed: wake who waits, start what was decided."""


@dataclass(slots=True)
class _Record:
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    fact: Received[Any] | None = None
    defect: tuple[str, str] | None = None  # reason and sentence

    def letter(self, reason: str, error: str) -> Letter:
        fact = self.fact
        return Letter(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            key=self.key,
            id=fact.id if fact and ids.is_id(fact.id) else ids.new_id(),
            type=fact.type if fact else "",
            payload=self.value,
            reason=reason,
            error=error,
            traceparent=fact.traceparent if fact else "",
        )


class Folding(Generic[L]):
    """Applies records to a room, in transactions: the part of a consumer that needs no broker."""

    def __init__(
        self, database: Database, context: str, consumer: str, handlers: Mapping[type[Any], Handler[Any]], room: Room[L]
    ) -> None:
        self.database = database
        self.consumer = consumer
        self.metrics = ConsumerMetrics(context, consumer)
        self._failpoint = f"{context}.{consumer}"
        self._room = room
        self._types = {type_of(message): message for message in handlers}
        self._handlers = {type_of(message): handler for message, handler in handlers.items()}

    def decode(self, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> _Record:
        """The record with its fact, or with what is wrong with it."""
        record = _Record(topic, partition, offset, (key or b"").decode(errors="replace"), value or b"")
        try:
            record.fact = open_envelope(record.value, self._types)
            if record.fact.message is not None and inbox.day_in_reach(record.fact.id) is None:
                record.defect = (
                    "too_old",
                    "its id is older than the ids that are remembered, or no UUIDv7 of our time",
                )
        except Undecodable as error:
            record.defect = ("undecodable", str(error))
        return record

    def apply(self, records: Sequence[_Record]) -> None:
        """Apply records in order of arrival, all in one transaction, halved where that fails.

        Raises what is worth another try (a database that is away): then nothing of the rest is applied.
        """
        useful = [record for record in records if record.defect or (record.fact and record.fact.message is not None)]
        self.metrics.fate("ignored", len(records) - len(useful))
        if useful:
            self._apply(useful)

    def _apply(self, records: Sequence[_Record]) -> None:
        started = clock.monotonic()
        try:
            loaded, fates = self.database.write(lambda connection: self._fold(connection, records))
        except Exception as error:  # an edge: whatever a fact ran into, it must not hold up its neighbours
            if is_worth_another_try(error) or isinstance(error, DatabaseAway):
                raise
            failure = error
        else:
            self._note_applied(records, loaded, fates, started)
            return
        # Outside of the handler: else each halving would add its traceback to the next one's.
        self._halve(records, failure)

    def _note_applied(self, records: Sequence[_Record], loaded: L | None, fates: Counter[str], started: float) -> None:
        failpoint(f"{self._failpoint}.after_commit")
        if loaded is not None:
            self._room.committed(loaded)
        for fate, times in fates.items():
            self.metrics.fate(fate, times)
        self.metrics.batch(len(records), clock.monotonic() - started)
        log.info("batch", consumer=self.consumer, size=len(records), ms=round((clock.monotonic() - started) * 1000, 1),
                 trace_id=_trace_of(records), **fates)  # fmt: skip

    def _halve(self, records: Sequence[_Record], error: Exception) -> None:
        """Rule: a batch that fails is halved, halves in order, until the poison event stands alone and is parked."""
        if len(records) > 1:
            middle = len(records) // 2
            self._apply(records[:middle])
            self._apply(records[middle:])
            return
        if records[0].defect is not None:
            raise error  # not even parking works: start over later, with nothing lost
        sentence = f"{type(error).__name__}: {error}"
        log.error("event parked", consumer=self.consumer, key=records[0].key, error=sentence, exc_info=error,
                  trace_id=_trace_of(records))  # fmt: skip
        records[0].defect = ("error", sentence)
        self._apply(records)

    def _fold(self, connection: Connection, records: Sequence[_Record]) -> tuple[L | None, Counter[str]]:
        fates: Counter[str] = Counter()
        fresh, letters = self._sort_out(connection, records, fates)
        loaded = self._load(connection, fresh)
        parked = {(letter.topic, letter.key) for letter in letters}
        for record in fresh:
            if (letter := self._apply_one(loaded, record, parked, fates)) is not None:
                letters.append(letter)
                parked.add((letter.topic, letter.key))
        failpoint(f"{self._failpoint}.before_save")
        if loaded is not None:
            self._room.save(connection, loaded)
        dead_letters.park(connection, self.consumer, letters)
        fates["parked"] += len(letters)
        failpoint(f"{self._failpoint}.before_commit")
        return loaded, +fates

    def _sort_out(
        self, connection: Connection, records: Sequence[_Record], fates: Counter[str]
    ) -> tuple[list[_Record], list[Letter]]:
        """Which records are to be applied, and which are to be parked without a look at them."""
        events = [
            (day, record.fact.id)
            for record in records
            if record.fact is not None and (day := inbox.day_in_reach(record.fact.id)) is not None
        ]
        keys = {(record.topic, record.key) for record in records}
        claimed, parked = inbox.claim(connection, self.consumer, events, keys)
        fresh: list[_Record] = []
        letters: list[Letter] = []
        for record in records:
            if record.fact is not None and record.defect is None and record.fact.id not in claimed:
                fates["duplicate"] += 1
            elif record.defect is not None:
                letters.append(record.letter(*record.defect))
            elif (record.topic, record.key) in parked:
                letters.append(record.letter("behind", "waits behind an earlier message of its key"))
            else:
                claimed.discard(record.fact.id if record.fact else "")  # the same event twice in one poll
                fresh.append(record)
        return fresh, letters

    def _load(self, connection: Connection, fresh: Sequence[_Record]) -> L | None:
        keys: set[str] = set()
        for record in fresh:
            if record.fact is not None:
                keys.update(self._handlers[record.fact.type].keys(record.fact.message))
        return self._room.load(connection, sorted(keys)) if fresh else None

    def _apply_one(
        self, loaded: L | None, record: _Record, parked: set[tuple[str, str]], fates: Counter[str]
    ) -> Letter | None:
        fact = record.fact
        if fact is None:
            return None
        if (record.topic, record.key) in parked:
            return record.letter("behind", "waits behind an earlier message of its key")
        tracing.current.set(fact.traceparent)
        try:
            self._handlers[fact.type].apply(loaded, fact)
        except TooEarly as error:
            return record.letter("too_early", str(error))
        except Ignore:
            fates["ignored"] += 1
        else:
            fates["applied"] += 1
        return None

    def retry(self, topic: str, key: str) -> bool:
        """Apply the oldest letter of a parked key; whether it is gone, so that the next one may follow."""
        try:
            is_gone, loaded = self.database.write(lambda connection: self._retry(connection, topic, key))
        except Exception as error:  # an edge: the letter says what it ran into
            if isinstance(error, DatabaseAway):
                raise
            self._postpone(topic, key, error)
            return False
        if loaded is not None:
            self._room.committed(loaded)
        return is_gone

    def _retry(self, connection: Connection, topic: str, key: str) -> tuple[bool, L | None]:
        if not dead_letters.lock_key(connection, self.consumer, topic, key):
            return False, None
        letter = dead_letters.oldest(connection, self.consumer, topic, key)
        if letter is None:
            return False, None
        record = self.decode(topic, letter.partition, letter.record_offset, key.encode(), letter.payload)
        if record.defect is not None and record.defect[0] != "too_old":
            raise Undecodable(record.defect[1])
        loaded = self._load(connection, [record])
        try:
            if loaded is not None and record.fact is not None:
                self._handlers[record.fact.type].apply(loaded, record.fact)
                self._room.save(connection, loaded)
        except Ignore:
            self.metrics.fate("ignored_on_retry", 1)
        dead_letters.remove(connection, letter)
        return True, loaded

    def _postpone(self, topic: str, key: str, error: Exception) -> None:
        reason = "too_early" if isinstance(error, TooEarly) else "error"

        def write(connection: Connection) -> None:
            if dead_letters.lock_key(connection, self.consumer, topic, key):
                letter = dead_letters.oldest(connection, self.consumer, topic, key)
                if letter is not None:
                    dead_letters.postpone(connection, letter, reason, f"{type(error).__name__}: {error}")

        self.database.write(write)
        log.warning("retry of a parked event failed", consumer=self.consumer, key=key, error=str(error))

    def retry_due(self) -> None:
        """Try every parked key whose time has come, each in order until one of its letters fails; a job."""
        due = self.database.read(lambda connection: dead_letters.due_keys(connection, self.consumer))
        for row in due:
            while self.retry(row.topic, row.key):
                continue
        self.metrics.parked(self.database.read(lambda connection: dead_letters.count(connection, self.consumer)))


class Consumer(Generic[L]):
    """Reads topics in a consumer group, on a thread of its own, and applies each poll as one batch."""

    def __init__(
        self,
        database: Database,
        bootstrap_servers: str,
        *,
        context: str,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[type[Any], Handler[Any]],
        room: Room[L],
        poll_records: int = _POLL_RECORDS,
    ) -> None:
        self.folding = Folding(database, context, group, handlers, room)
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._topics = topics
        self._poll_records = poll_records
        self._stopping = threading.Event()
        self._committed_at = 0.0
        self._has_uncommitted = False
        self._pace = clock.Pace(_PACE_SECONDS, self._stopping.wait)
        self._measured_at = clock.monotonic()
        self._kafka: KafkaConsumer | None = None
        self._thread = threading.Thread(target=self._run, name=f"{group}-consumer", daemon=True)

    def start(self) -> None:
        """Join the group and read, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the present batch, commit, leave the group; return when done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            try:
                self._poll(self._connected())
                pause = 0.0
            except Exception as error:  # an edge: the consumer outlives whatever it ran into
                pause = min(pause * 2 or 0.2, 5.0)
                log.warning("consumer starts over", consumer=self._group, error=str(error),
                            error_type=type(error).__name__, pause=pause)  # fmt: skip
                # A batch whose connection died is thrown away whole: read again from what was committed.
                self._disconnect(commits=False)
                self._stopping.wait(pause)
        self._disconnect(commits=True)

    def _connected(self) -> KafkaConsumer:
        if self._kafka is None:
            self._kafka = KafkaConsumer(
                *self._topics,
                bootstrap_servers=self._bootstrap_servers.split(","),
                client_id=f"{self._group}-consumer",
                group_id=self._group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                # A long wait at the broker costs nothing; a short one costs an idle service 3 % of a core.
                fetch_max_wait_ms=5_000,
                fetch_min_bytes=1,
                session_timeout_ms=6_000,
                heartbeat_interval_ms=2_000,
                max_poll_interval_ms=30_000,
                max_poll_records=self._poll_records,
                request_timeout_ms=10_000,
                reconnect_backoff_max_ms=1_000,
                metadata_max_age_ms=60_000,
                bootstrap_timeout_ms=4_000,
                metrics_enabled=False,
            )
        return self._kafka

    def _poll(self, kafka: KafkaConsumer) -> None:
        self._pace.begin()
        polled = kafka.poll(timeout_ms=_POLL_MS)
        records = [
            self.folding.decode(at.topic, at.partition, record.offset, record.key, record.value)
            for at, batch in polled.items()
            for record in batch
        ]
        if records:
            self.folding.metrics.received(len(records))
            failpoint(f"{self._group}.consumer.before_apply")
            self._apply(kafka, records)
            failpoint(f"{self._group}.consumer.before_offset_commit")
            self._has_uncommitted = True
        self._commit(kafka)
        self._measure(kafka)

    def _apply(self, kafka: KafkaConsumer, records: Sequence[_Record]) -> None:
        """Apply a poll; while the database is away stay in the group, paused, and apply it again.

        Also when it came together with the order to stop: what was polled is behind the position that is committed.
        """
        while True:
            try:
                self.folding.apply(records)
                break
            except Exception as error:  # an edge: only what is worth another try comes here
                if self._stopping.is_set() or not (isinstance(error, DatabaseAway) or is_worth_another_try(error)):
                    raise
                log.warning("the batch waits", consumer=self._group, size=len(records), error=str(error))
                kafka.pause(*kafka.assignment())
                if kafka.poll(timeout_ms=500):
                    # Partitions came to us in between, and were not paused: what they brought is not applied.
                    raise KafkaError("the group was rebalanced while a batch waited") from error
        kafka.resume(*kafka.paused())

    def _commit(self, kafka: KafkaConsumer) -> None:
        """Offsets only after the database's commit; late is harmless, for the inbox knows what was applied."""
        if self._has_uncommitted and clock.monotonic() >= self._committed_at + _COMMIT_SECONDS:
            kafka.commit_async()
            self._has_uncommitted = False
            self._committed_at = clock.monotonic()

    def _measure(self, kafka: KafkaConsumer) -> None:
        if clock.monotonic() < self._measured_at + _MEASURE_SECONDS:
            return
        self._measured_at = clock.monotonic()
        for at in kafka.assignment():
            end, position = kafka.highwater(at), kafka.position(at)
            if end is not None and position is not None:
                self.folding.metrics.lag(at.topic, at.partition, max(0, end - position))

    def _disconnect(self, *, commits: bool) -> None:
        """Leave the group; the position is committed only where all before it was applied."""
        if self._kafka is None:
            return
        kafka, self._kafka = self._kafka, None
        try:
            if commits:
                kafka.commit(timeout_ms=2_000)
            kafka.close(autocommit=False, timeout_ms=2_000)
        except KafkaError as error:
            log.warning("consumer could not leave its group in order", consumer=self._group, error=str(error))


def _trace_of(records: Sequence[_Record]) -> str:
    """The trace of the first record: a batch has many, and its log line names one to start from."""
    return tracing.trace_id_of(records[0].fact.traceparent) if records[0].fact else ""
