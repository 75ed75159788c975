"""Records of many partitions, asked for and read on the thread that applies them.

kafka-python's consumer fetches on a thread of its own, and handing each poll over costs more than the poll
(`docs/decisions/0006-fetching.md`). The protocol: https://kafka.apache.org/protocol#The_Messages_Fetch
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError, for_code
from kafka.future import Future
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest
from kafka.record import MemoryRecords

from chassis.brokers import AnyBrokers, connect, leader_of, partitions_of
from chassis.logs import get_logger

_WAIT_MS: Final = 5_000
"""How long the broker may hold a request that finds nothing; a long wait costs an idle service nothing."""
_REQUEST_MS: Final = 10_000
_RESPONSE_BYTES: Final = 8 * 2**20
_PARTITION_BYTES: Final = 2**20
_OLDEST: Final = -2
_LAST_EPOCH: Final = 2**31 - 1
_FORGOTTEN_SESSION: Final = frozenset({70, 71})  # FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH

log = get_logger(__name__)


class FetchFailed(KafkaError):  # type: ignore[misc]
    """The brokers did not give what was asked for: leaders moved, a connection broke. A new Fetcher may get it."""


class Fetched(NamedTuple):
    """A record as it stood in its partition."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class _Session:
    """What a broker remembers of our requests (KIP-227): later ones name only the partitions that moved on."""

    id: int = 0
    epoch: int = 0
    told: dict[TopicPartition, int] = field(default_factory=dict)
    answer: Future | None = None

    def forget(self) -> None:
        self.id, self.epoch, self.told = 0, 0, {}

    def accept(self, id_: int) -> None:
        is_kept = id_ != 0 and self.epoch < _LAST_EPOCH
        self.id, self.epoch = (id_, self.epoch + 1) if is_kept else (0, 0)
        if not is_kept:
            self.told = {}


class Fetcher:
    """Reads some partitions from given positions on. For one thread; raises KafkaError when no broker answers."""

    def __init__(self, brokers: AnyBrokers, client_id: str, positions: Mapping[TopicPartition, int]) -> None:
        self._positions = dict(positions)
        self._ends: dict[TopicPartition, int] = {}
        self._waiting: deque[Fetched] = deque()
        self._sessions: dict[int, _Session] = defaultdict(_Session)
        self._client = connect(brokers, client_id, _REQUEST_MS)
        try:
            for topic in {place.topic for place in positions}:
                partitions_of(self._client, topic)
        except BaseException:
            self._client.close()
            raise

    def fetch(self, limit: int, seconds: float) -> list[Fetched]:
        """At most `limit` records, in order within each partition; none when none came within the time.

        What a broker gave beyond the limit is kept for the next call, and nothing more is asked for before it is taken.
        Raises FetchFailed.
        """
        if not self._waiting:
            self._ask()
            self._await(seconds)
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def ends(self) -> Mapping[TopicPartition, int]:
        """The offset behind the last record of each partition, as far as brokers have told."""
        return self._ends

    def close(self) -> None:
        """Forget what is unanswered."""
        self._client.close()

    def _ask(self) -> None:
        by_leader: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in self._positions:
            leader = leader_of(self._client, place)
            if leader is None:
                raise FetchFailed(f"{place.topic}[{place.partition}] has no leader")
            by_leader[leader].append(place)
        for leader, places in by_leader.items():
            session = self._sessions[leader]
            if session.answer is None:
                self._client.await_ready(leader, timeout_ms=_REQUEST_MS)
                session.answer = self._client.send(leader, self._request(session, places))

    def _request(self, session: _Session, places: Iterable[TopicPartition]) -> FetchRequest:
        by_topic: dict[str, list[Any]] = defaultdict(list)
        for place in places:
            position = self._positions[place]
            if session.told.get(place) != position:
                session.told[place] = position
                by_topic[place.topic].append(
                    FetchRequest.FetchTopic.FetchPartition(
                        partition=place.partition, fetch_offset=position, partition_max_bytes=_PARTITION_BYTES
                    )
                )
        return FetchRequest(
            max_wait_ms=_WAIT_MS, min_bytes=1, max_bytes=_RESPONSE_BYTES, isolation_level=0,
            session_id=session.id, session_epoch=session.epoch,
            topics=[FetchRequest.FetchTopic(topic=topic, partitions=parts) for topic, parts in by_topic.items()],
            forgotten_topics_data=[], rack_id="", min_version=7, max_version=12,
        )  # fmt: skip

    def _await(self, seconds: float) -> None:
        asked = [session for session in self._sessions.values() if session.answer is not None]
        self._client.poll(timeout_ms=seconds * 1000, future=_first([session.answer for session in asked]))
        for session in asked:
            if session.answer is not None and session.answer.is_done:
                answer, session.answer = session.answer, None
                if not answer.succeeded():
                    raise FetchFailed(f"a broker did not answer: {answer.exception}")
                self._take(session, answer.value)

    def _take(self, session: _Session, response: Any) -> None:
        if response.error_code in _FORGOTTEN_SESSION:
            session.forget()
            return
        if response.error_code:
            raise FetchFailed(f"a broker refused: {for_code(response.error_code).__name__}")
        session.accept(response.session_id)
        for topic in response.responses:
            for part in topic.partitions:
                self._take_partition(TopicPartition(topic.topic, part.partition_index), part)

    def _take_partition(self, place: TopicPartition, part: Any) -> None:
        if part.error_code == OffsetOutOfRangeError.errno:
            # What stood there is deleted by retention: go on with the oldest that is left, as `earliest` says.
            oldest = self._oldest(place)
            log.warning("records are gone", topic=place.topic, partition=place.partition,
                        wanted=self._positions[place], oldest=oldest)  # fmt: skip
            self._positions[place] = oldest
            return
        if part.error_code:
            raise FetchFailed(f"{place.topic}[{place.partition}]: {for_code(part.error_code).__name__}")
        self._ends[place] = part.high_watermark
        if part.records:
            self._read(place, part.records)

    def _oldest(self, place: TopicPartition) -> int:
        partition = ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition(
            partition_index=place.partition, current_leader_epoch=-1, timestamp=_OLDEST
        )
        response = self._client.send_and_receive(
            leader_of(self._client, place),
            ListOffsetsRequest(isolation_level=0, topics=[(place.topic, [partition])], min_version=1),
            timeout_ms=_REQUEST_MS,
        )
        answer = response.topics[0].partitions[0]
        if answer.error_code:
            raise FetchFailed(f"{place.topic}[{place.partition}]: {for_code(answer.error_code).__name__}")
        return int(answer.offset)

    def _read(self, place: TopicPartition, records: bytes) -> None:
        batches = MemoryRecords(records)
        while (batch := batches.next_batch()) is not None:
            if not batch.validate_crc():
                raise FetchFailed(f"{place.topic}[{place.partition}]: a batch at {batch.base_offset} is damaged")
            if not batch.is_control_batch:
                first = self._positions[place]  # a batch is given whole, also from before what was asked for
                self._waiting.extend(
                    Fetched(place.topic, place.partition, record.offset, record.key, record.value)
                    for record in batch
                    if record.offset >= first
                )
            self._positions[place] = max(self._positions[place], batch.next_offset)


def _first(answers: Iterable[Future | None]) -> Future:
    """Done as soon as one of them is."""
    first = Future()

    def end(_: object) -> None:
        if not first.is_done:
            first.success(None)

    for answer in answers:
        if answer is not None:
            answer.add_both(end)
    return first
