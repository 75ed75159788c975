"""Records to Kafka, a round at a time: acknowledged by all replicas, idempotent, each with its own answer."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import RetriableError, for_code
from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest

from chassis import clock
from chassis.brokers import METADATA_MS, AnyBrokers, connect, leader_of, partitions_of
from chassis.envelope import HEADERS
from chassis.record_batch import encode_batch, encode_headers

ROUND_MS: Final = 7_000
"""How long a round waits for the broker: less than the relay's lease, so that a relay knows that it still leads."""
_ALL_REPLICAS: Final = -1
_PAUSE_MS: Final = 100
_HEADERS: Final = encode_headers(HEADERS)


@dataclass(frozen=True, slots=True)
class Record:
    """What goes onto a topic; records of one key stay in order."""

    topic: str
    key: str
    value: bytes


class Producer:
    """A connection to the brokers, for one thread; raises KafkaError when no broker answers.

    A batch is sent once. What was not acknowledged is for the caller to send again, by a new producer, whose id is
    new as well: so nothing of this one can come between.
    """

    def __init__(self, brokers: AnyBrokers, client_id: str) -> None:
        self._client = connect(brokers, client_id, ROUND_MS)
        self._sequences: dict[TopicPartition, int] = defaultdict(int)
        try:
            self._id, self._epoch = self._new_identity()
        except BaseException:
            self.close()
            raise

    def send_round(self, records: Sequence[Record]) -> list[bool]:
        """For each record, whether all replicas have it."""
        batches: dict[TopicPartition, list[tuple[bytes, bytes]]] = defaultdict(list)
        places: list[TopicPartition] = []
        for record in records:
            key = record.key.encode()
            place = self._place(record.topic, key)
            places.append(place)
            batches[place].append((key, record.value))
        taken = self._send(batches)
        return [place in taken for place in places]

    def close(self) -> None:
        """Forget what is unanswered."""
        self._client.close()

    def _send(self, batches: dict[TopicPartition, list[tuple[bytes, bytes]]]) -> set[TopicPartition]:
        by_leader: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in batches:
            leader = leader_of(self._client, place)
            if leader is not None:
                by_leader[leader].append(place)
        answers = [self._request(leader, places, batches) for leader, places in by_leader.items()]
        taken: set[TopicPartition] = set()
        for answer in answers:
            self._client.poll(timeout_ms=ROUND_MS, future=answer)
            if answer.succeeded():
                taken.update(_acknowledged(answer.value))
        return taken

    def _request(
        self, leader: int, places: Sequence[TopicPartition], batches: dict[TopicPartition, list[tuple[bytes, bytes]]]
    ) -> Any:
        by_topic: dict[str, list[Any]] = defaultdict(list)
        for place in places:
            by_topic[place.topic].append(
                ProduceRequest.TopicProduceData.PartitionProduceData(
                    index=place.partition, records=self._encoded(place, batches[place])
                )
            )
        self._client.await_ready(leader, timeout_ms=METADATA_MS)
        return self._client.send(
            leader,
            ProduceRequest(
                transactional_id=None,
                acks=_ALL_REPLICAS,
                timeout_ms=ROUND_MS,
                topic_data=[
                    ProduceRequest.TopicProduceData(name=topic, partition_data=data) for topic, data in by_topic.items()
                ],
                min_version=3,
                max_version=9,
            ),
        )

    def _encoded(self, place: TopicPartition, records: Sequence[tuple[bytes, bytes]]) -> bytes:
        first = self._sequences[place]
        self._sequences[place] = (first + len(records)) % 2**31
        return encode_batch(
            records,
            _HEADERS,
            timestamp_ms=clock.unix_ms(),
            producer_id=self._id,
            producer_epoch=self._epoch,
            base_sequence=first,
        )

    def _place(self, topic: str, key: bytes) -> TopicPartition:
        # crc32 spreads as well as the murmur2 of other clients, which is pure Python here; only relays write.
        return TopicPartition(topic, zlib.crc32(key) % partitions_of(self._client, topic))

    def _new_identity(self) -> tuple[int, int]:
        until = clock.monotonic() + METADATA_MS / 1000
        while True:
            answer = self._client.send_and_receive(
                self._client.least_loaded_node(), _new_identity_request(), timeout_ms=METADATA_MS
            )
            if not answer.error_code:
                return int(answer.producer_id), int(answer.producer_epoch)
            error = for_code(answer.error_code)("no producer id")
            if not isinstance(error, RetriableError) or clock.monotonic() > until:
                raise error
            # A broker that has just started is still loading what it hands ids out from.
            self._client.poll(timeout_ms=_PAUSE_MS)


def _new_identity_request() -> Any:
    return InitProducerIdRequest(
        transactional_id=None,
        transaction_timeout_ms=0,
        producer_id=-1,
        producer_epoch=-1,
        min_version=0,
        max_version=4,
    )


def _acknowledged(response: Any) -> set[TopicPartition]:
    return {
        TopicPartition(topic.name, partition.index)
        for topic in response.responses
        for partition in topic.partition_responses
        if partition.error_code == 0
    }
