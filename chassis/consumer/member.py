"""A place in a consumer group: which partitions are ours, and how far they are applied. It fetches nothing itself."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from chassis.brokers import AnyBrokers, options_of
from chassis.logs import get_logger

_JOIN_MS: Final = 200
_POSITION_MS: Final = 4_000
_LEAVE_MS: Final = 2_000

log = get_logger(__name__)


class Member:
    """One member of a group, for one thread; kafka-python's threads keep it alive between the calls.

    Raises KafkaError where the brokers do not answer.
    """

    def __init__(self, brokers: AnyBrokers, group: str, topics: Sequence[str]) -> None:
        self._group = group
        self._topics = topics
        self._changes = _Changes()
        self._kafka = KafkaConsumer(
            **options_of(brokers),
            client_id=f"{group}-consumer",
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=30_000,
            request_timeout_ms=10_000,
            reconnect_backoff_max_ms=1_000,
            metadata_max_age_ms=60_000,
            bootstrap_timeout_ms=4_000,
            metrics_enabled=False,
        )
        self._changes.kafka = self._kafka
        try:
            self._kafka.subscribe(topics=topics, listener=self._changes)
            for topic in topics:
                # A leader of the group that does not know a topic yet hands none of its partitions out.
                if not self._kafka.partitions_for_topic(topic):
                    raise KafkaTimeoutError(f"the broker does not know the topic {topic}")
        except BaseException:
            self.leave()
            raise

    def keep(self) -> int:
        """Stay a member, or become one; call it once a second. The number of the assignment: another, other partitions.

        While the group shares its partitions out it waits a little, so that it may be called in a loop.
        """
        if self._kafka.poll(timeout_ms=0 if self._changes.is_settled else _JOIN_MS):
            raise KafkaError("a member was given records, although its partitions are paused")
        return self._changes.times

    def positions(self) -> Mapping[TopicPartition, int]:
        """Where to go on in each of our partitions: behind what the group committed, else at the oldest record.

        None while the group shares its partitions out.
        """
        if not self._changes.is_settled:
            return {}
        return {place: self._position(place) for place in self._kafka.assignment()}

    @property
    def sharers(self) -> float:
        """Among how many the group's partitions would be shared out if each had as many as we do."""
        partitions = sum(len(self._kafka.partitions_for_topic(topic) or ()) for topic in self._topics)
        return max(1.0, partitions / max(1, len(self._kafka.assignment())))

    def commit(self, applied: Mapping[TopicPartition, int]) -> None:
        """Tell the group what is applied, without waiting: what is read twice does no harm."""
        self._kafka.commit_async(_committable(applied))

    def leave(self, applied: Mapping[TopicPartition, int] | None = None) -> None:
        """Leave the group; `applied` is committed first."""
        try:
            if applied:
                self._kafka.commit(_committable(applied), timeout_ms=_LEAVE_MS)
            self._kafka.close(autocommit=False, timeout_ms=_LEAVE_MS)
        except KafkaError as error:
            log.warning("consumer could not leave its group in order", consumer=self._group, error=str(error))

    def _position(self, place: TopicPartition) -> int:
        position = self._kafka.position(place, timeout_ms=_POSITION_MS)
        if position is None:
            raise KafkaTimeoutError(f"no position for {place.topic}[{place.partition}]")
        return int(position)


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Counts assignments, and pauses what is assigned before anything of it is fetched."""

    def __init__(self) -> None:
        self.times = 0
        self.is_settled = False
        self.kafka: KafkaConsumer | None = None
        self._lock = threading.Lock()

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """What was ours may be another's from now on."""
        self._count(is_settled=False)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """These are ours from now on."""
        if self.kafka is not None:
            self.kafka.pause(*assigned)
        self._count(is_settled=bool(assigned))

    def _count(self, *, is_settled: bool) -> None:
        with self._lock:
            self.times += 1
            self.is_settled = is_settled


def _committable(applied: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in applied.items()}
