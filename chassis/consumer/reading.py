"""A consumer at work: it keeps its place in the group, fetches, and applies what it fetched."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaError

from chassis import clock
from chassis.brokers import AnyBrokers
from chassis.consumer.fetcher import Fetched, Fetcher, FetchFailed
from chassis.consumer.folding import Folding, Record
from chassis.consumer.handlers import Handler, Room
from chassis.consumer.member import Member
from chassis.database import Database, DatabaseAway, is_worth_another_try
from chassis.failpoints import failpoint
from chassis.logs import get_logger

L = TypeVar("L")

_POLL_RECORDS: Final = 500
_FETCH_SECONDS: Final = 0.5
_KEEP_SECONDS: Final = 0.5
_COMMIT_SECONDS: Final = 1.0
_PACE_SECONDS: Final = 0.020
_MEASURE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = (0.2, 5.0)

log = get_logger(__name__)


class Consumer(Generic[L]):
    """Reads topics in a consumer group, on a thread of its own, and applies each poll as one batch.

    Its rounds are `pace_seconds` apart, and at least `rest` times as far as they take (`clock.Pace`).
    """

    def __init__(
        self,
        database: Database,
        brokers: AnyBrokers,
        *,
        context: str,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[type[Any], Handler[Any]],
        room: Room[L],
        poll_records: int = _POLL_RECORDS,
        pace_seconds: float = _PACE_SECONDS,
        rest: float = 1.0,
    ) -> None:
        self.folding = Folding(database, context, group, handlers, room)
        self._brokers = brokers
        self._group = group
        self._topics = topics
        self._poll_records = poll_records
        self._stopping = threading.Event()
        self._pace = clock.Pace(pace_seconds, self._stopping.wait, rest)
        self._member: Member | None = None
        self._fetcher: Fetcher | None = None
        self._assignment = 0
        self._applied: dict[TopicPartition, int] = {}
        self._has_uncommitted = False
        self._is_behind = False
        self._kept_at = self._committed_at = self._measured_at = 0.0
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
        shortest, longest = _PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._turn(self._joined())
                pause = 0.0
            except Exception as error:  # an edge: the consumer outlives whatever it ran into
                pause = min(pause * 2 or shortest, longest)
                log.warning("consumer starts over", consumer=self._group, error=str(error),
                            error_type=type(error).__name__, pause=pause)  # fmt: skip
                self._drop_fetcher()
                if not isinstance(error, FetchFailed):
                    # A batch whose connection died is thrown away whole: read again from what was committed.
                    self._leave(commits=False)
                self._stopping.wait(pause)
        self._drop_fetcher()
        self._leave(commits=True)

    def _joined(self) -> Member:
        if self._member is None:
            self._member = Member(self._brokers, self._group, self._topics)
            self._assignment = 0
        return self._member

    def _turn(self, member: Member) -> None:
        """Fetch once, and apply what came."""
        self._keep(member)
        fetcher = self._fetching(member)
        if fetcher is None:
            return
        self._pace.begin(at_once=self._is_behind)
        fetched = fetcher.fetch(self._poll_records, _FETCH_SECONDS)
        self._is_behind = len(fetched) == self._poll_records
        if fetched:
            with self._pace.at_work():
                self._apply(member, fetched)
        self._commit(member)
        self._measure(fetcher)

    def _keep(self, member: Member) -> None:
        """Do what the group asks of its members; where the partitions changed, begin at what is committed."""
        if self._fetcher is not None and clock.monotonic() < self._kept_at + _KEEP_SECONDS:
            return
        self._kept_at = clock.monotonic()
        assignment = member.keep()
        if assignment != self._assignment:
            self._assignment = assignment
            self._drop_fetcher()
            self._applied = {}
            self._has_uncommitted = False
            self.folding.metrics.forget_lag()

    def _fetching(self, member: Member) -> Fetcher | None:
        if self._fetcher is None:
            if not self._applied:
                self._applied = dict(member.positions())
            if self._applied:
                self._pace.sharers = member.sharers
                self._fetcher = Fetcher(self._brokers, f"{self._group}-fetcher", self._applied)
        return self._fetcher

    def _apply(self, member: Member, fetched: Sequence[Fetched]) -> None:
        records = [self.folding.decode(*record) for record in fetched]
        failpoint(f"{self._group}.consumer.before_apply")
        self._apply_patiently(member, records)
        # Only now: a batch that is thrown away whole is read again, and received then.
        self.folding.metrics.received(len(records))
        for record in fetched:
            self._applied[TopicPartition(record.topic, record.partition)] = record.offset + 1
        failpoint(f"{self._group}.consumer.before_offset_commit")
        self._has_uncommitted = True

    def _apply_patiently(self, member: Member, records: Sequence[Record]) -> None:
        """Apply a batch; while the database is away stay in the group, and apply it again."""
        while True:
            try:
                self.folding.apply(records)
                return
            except Exception as error:  # an edge: only what is worth another try comes here
                if self._stopping.is_set() or not (isinstance(error, DatabaseAway) or is_worth_another_try(error)):
                    raise
                log.warning("the batch waits", consumer=self._group, size=len(records), error=str(error))
                self._stopping.wait(_KEEP_SECONDS)
                if member.keep() != self._assignment:
                    raise KafkaError("the group was rebalanced while a batch waited") from error

    def _commit(self, member: Member) -> None:
        """Offsets only after the database's commit; late is harmless, for the inbox knows what was applied."""
        if self._has_uncommitted and clock.monotonic() >= self._committed_at + _COMMIT_SECONDS:
            member.commit(self._applied)
            self._has_uncommitted = False
            self._committed_at = clock.monotonic()

    def _measure(self, fetcher: Fetcher) -> None:
        if clock.monotonic() < self._measured_at + _MEASURE_SECONDS:
            return
        self._measured_at = clock.monotonic()
        for place, end in fetcher.ends().items():
            self.folding.metrics.lag(place.topic, place.partition, max(0, end - self._applied[place]))

    def _drop_fetcher(self) -> None:
        if self._fetcher is not None:
            self._fetcher.close()
            self._fetcher = None

    def _leave(self, *, commits: bool) -> None:
        """Leave the group; the position is committed only where all before it was applied."""
        if self._member is not None:
            self._member.leave(self._applied if commits else None)
            self._member = None
        self._applied = {}
        self._has_uncommitted = False
