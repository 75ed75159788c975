"""Facts applied, a batch in a transaction: the part of a consumer that needs no broker."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection

from chassis import clock, dead_letters, ids, inbox, tracing
from chassis.consumer.handlers import Handler, Ignore, Room, TooEarly
from chassis.database import Database, DatabaseAway, is_worth_another_try
from chassis.dead_letters import Letter
from chassis.envelope import Received, Undecodable, open_envelope, type_of
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from chassis.metrics import ConsumerMetrics
from chassis.telemetry.spans import Batch, Kind, Spans

L = TypeVar("L")

_LONGEST_KEY: Final = 255

log = get_logger(__name__)


@dataclass(slots=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    fact: Received[Any] | None = None
    defect: tuple[str, str] | None = None  # reason and sentence
    told: str = ""  # the traceparent that it came with, once that of a span stands in its place

    def letter(self, reason: str, error: str) -> Letter:
        fact = self.fact
        return Letter(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            key=self.key,
            id=fact.id if fact and ids.is_id(fact.id) else ids.new_id(),
            type=storable(fact.type) if fact else "",
            payload=self.value,
            reason=reason,
            error=storable(error),
            traceparent=storable(fact.traceparent) if fact else "",
        )


class NotApplicable(Exception):
    """A letter that is not applied as it stands; `reason` is the letter's."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Folding(Generic[L]):
    """Applies records to a room, in transactions: the part of a consumer that needs no broker."""

    def __init__(
        self, database: Database, context: str, consumer: str, handlers: Mapping[type[Any], Handler[Any]], room: Room[L]
    ) -> None:
        self.database = database
        self.consumer = consumer
        self.metrics = ConsumerMetrics(context, consumer)
        self.spans: Spans | None = None
        self._failpoint = f"{context}.{consumer}"
        self._fates: Counter[str] = Counter()
        self._room = room
        self._types = {type_of(message): message for message in handlers}
        self._handlers = {type_of(message): handler for message, handler in handlers.items()}

    def decode(self, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Record:
        """The record with its fact, or with what is wrong with it."""
        record = Record(topic, partition, offset, key_of(key or b""), value or b"")
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

    def apply(self, records: Sequence[Record]) -> None:
        """Apply records in order of arrival, all in one transaction, halved where that fails.

        Raises what is worth another try (a database that is away): then nothing of the rest is applied.
        """
        useful = [record for record in records if record.defect or (record.fact and record.fact.message is not None)]
        # Counted when all of it is through: what is tried again after its first half was applied counts once.
        self._fates = Counter(ignored=len(records) - len(useful))
        if useful:
            self._apply(useful)
        for fate, times in self._fates.items():
            self.metrics.fate(fate, times)

    def _apply(self, records: Sequence[Record]) -> None:
        started = clock.monotonic()
        traced = None if self.spans is None else _joined(self.spans, self.consumer, records)
        try:
            loaded, fates = self.database.write(lambda connection: self._fold(connection, records))
        except Exception as error:  # an edge: whatever a fact ran into, it must not hold up its neighbours
            if is_worth_another_try(error) or isinstance(error, DatabaseAway):
                raise
            failure = error
        else:
            self._note_applied(records, loaded, fates, started)
            if traced is not None:
                traced.end({"batch.size": len(records), **fates})
            return
        if traced is not None:
            traced.end({"batch.size": len(records)}, error=type(failure).__name__)
        # Outside of the handler: else each halving would add its traceback to the next one's.
        self._halve(records, failure)

    def _note_applied(self, records: Sequence[Record], loaded: L | None, fates: Counter[str], started: float) -> None:
        failpoint(f"{self._failpoint}.after_commit")
        if loaded is not None:
            self._room.committed(loaded)
        self._fates.update(fates)
        self.metrics.batch(len(records), clock.monotonic() - started)
        log.info("batch", consumer=self.consumer, size=len(records), ms=round((clock.monotonic() - started) * 1000, 1),
                 trace_id=trace_of(records), **fates)  # fmt: skip

    def _halve(self, records: Sequence[Record], error: Exception) -> None:
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
                  trace_id=trace_of(records))  # fmt: skip
        records[0].defect = ("error", sentence)
        self._apply(records)

    def _fold(self, connection: Connection, records: Sequence[Record]) -> tuple[L | None, Counter[str]]:
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
        self, connection: Connection, records: Sequence[Record], fates: Counter[str]
    ) -> tuple[list[Record], list[Letter]]:
        """Which records are to be applied, and which are to be parked without a look at them."""
        events = [
            (day, record.fact.id)
            for record in records
            if record.fact is not None and (day := inbox.day_in_reach(record.fact.id)) is not None
        ]
        keys = {(record.topic, record.key) for record in records}
        claimed, parked = inbox.claim(connection, self.consumer, events, keys)
        fresh: list[Record] = []
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

    def _load(self, connection: Connection, fresh: Sequence[Record]) -> L | None:
        keys: set[str] = set()
        for record in fresh:
            if record.fact is not None:
                keys.update(self._handlers[record.fact.type].keys(record.fact.message))
        return self._room.load(connection, sorted(keys)) if fresh else None

    def _apply_one(
        self, loaded: L | None, record: Record, parked: set[tuple[str, str]], fates: Counter[str]
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

    def retry(self, topic: str, key: str, *, by_hand: bool = False) -> bool:
        """Apply the oldest letter of a parked key; whether it is gone, so that the next one may follow.

        Rule (protocols: events in): nobody remembers whether an event that is too old was applied before, so that it
        is applied only `by_hand`, by an operator who knows.
        """
        try:
            is_gone, loaded = self.database.write(lambda connection: self._retry(connection, topic, key, by_hand))
        except Exception as error:  # an edge: the letter says what it ran into
            if isinstance(error, DatabaseAway):
                raise
            self._postpone(topic, key, error)
            return False
        if loaded is not None:
            self._room.committed(loaded)
        return is_gone

    def _retry(self, connection: Connection, topic: str, key: str, by_hand: bool) -> tuple[bool, L | None]:
        if not dead_letters.lock_key(connection, self.consumer, topic, key):
            return False, None
        letter = dead_letters.oldest(connection, self.consumer, topic, key)
        if letter is None:
            return False, None
        record = self.decode(topic, letter.partition, letter.record_offset, key.encode(), letter.payload)
        if record.defect is not None and not (by_hand and record.defect[0] == "too_old"):
            raise NotApplicable(*record.defect)
        loaded = self._load(connection, [record])
        try:
            if loaded is not None and record.fact is not None:
                self._handlers[record.fact.type].apply(loaded, record.fact)
                self._room.save(connection, loaded)
        except Ignore:
            self.metrics.fate("ignored_on_retry", 1)
        dead_letters.remove(connection, letter)
        failpoint(f"{self._failpoint}.retry.before_commit")
        return True, loaded

    def _postpone(self, topic: str, key: str, error: Exception) -> None:
        reason = "too_early" if isinstance(error, TooEarly) else "error"
        sentence = storable(f"{type(error).__name__}: {error}")
        if isinstance(error, NotApplicable):
            reason, sentence = error.reason, str(error)

        def write(connection: Connection) -> None:
            if dead_letters.lock_key(connection, self.consumer, topic, key):
                letter = dead_letters.oldest(connection, self.consumer, topic, key)
                if letter is not None:
                    dead_letters.postpone(connection, letter, reason, sentence)

        self.database.write(write)
        log.warning("retry of a parked event failed", consumer=self.consumer, key=key, error=str(error))

    def retry_due(self) -> None:
        """Try every parked key whose time has come, each in order until one of its letters fails; a job."""
        due = self.database.read(lambda connection: dead_letters.due_keys(connection, self.consumer))
        for row in due:
            while self.retry(row.topic, row.key):
                continue
        self.metrics.parked(self.database.read(lambda connection: dead_letters.count(connection, self.consumer)))


def _joined(spans: Spans, consumer: str, records: Sequence[Record]) -> Batch:
    """A batch in which each record that is looked at has a span, under which its facts go on."""
    batch = spans.batch(f"{consumer} batch", Kind.CONSUMER)
    for record in records:
        if record.fact is not None and tracing.is_sampled(record.fact.traceparent):
            # A batch that is halved, or tried again, begins again where its records came from.
            record.told = record.told or record.fact.traceparent
            told = {"messaging.destination.name": record.topic, "messaging.kafka.message.key": record.key}
            record.fact.traceparent = batch.join(record.told, f"apply {_last_word(record.fact.type)}", told)
    return batch


def _last_word(type_: str) -> str:
    return type_.rpartition(".")[2]


def storable(text: str) -> str:
    """A text as the database can keep it, which knows no NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def key_of(raw: bytes) -> str:
    """A record's key as it is looked up and kept, whatever somebody put there; long ones are told apart by a hash.

    A key that could not be kept would stop the batch that parks it, and with it the partition, for ever.
    """
    key = storable(raw.decode(errors="replace"))
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY // 2]}…{blake2b(raw, digest_size=16).hexdigest()}"


def trace_of(records: Sequence[Record]) -> str:
    """The trace of the first record: a batch has many, and its log line names one to start from."""
    return tracing.trace_id_of(records[0].fact.traceparent) if records[0].fact else ""
