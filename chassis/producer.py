"""Records to Kafka, a round at a time: acknowledged by all replicas, idempotent, each with its own answer."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from chassis.envelope import HEADERS

ROUND_SECONDS: Final = 8.0
"""How long a round waits for the broker: less than the relay's lease, so that a relay knows that it still leads."""


@dataclass(frozen=True, slots=True)
class Record:
    """What goes onto a topic; records of one key stay in order."""

    topic: str
    key: str
    value: bytes


class Producer:
    """A connection to the broker. Raises KafkaError from the constructor when no broker answers."""

    def __init__(self, bootstrap_servers: str, client_id: str) -> None:
        self._kafka = KafkaProducer(
            bootstrap_servers=bootstrap_servers.split(","),
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            # A round is sent as one request per broker: flush() ends the lingering at once.
            linger_ms=100,
            batch_size=256 * 1024,
            max_block_ms=4_000,
            request_timeout_ms=4_000,
            delivery_timeout_ms=7_000,
            reconnect_backoff_max_ms=1_000,
            bootstrap_timeout_ms=4_000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        self._partitions: dict[str, int] = {}

    def send_round(self, records: Sequence[Record]) -> list[bool]:
        """For each record whether the broker took it; what it did not take is to be sent again by a new producer."""
        sent = [self._send(record) for record in records]
        try:
            self._kafka.flush(timeout=ROUND_SECONDS)
        except KafkaError:
            pass  # told by the futures, each for itself
        return [future is not None and bool(future.succeeded()) for future in sent]

    def close(self) -> None:
        """Forget what is unsent."""
        self._kafka.close(timeout=0)

    def _send(self, record: Record):  # type: ignore[no-untyped-def]
        key = record.key.encode()
        try:
            return self._kafka.send(
                record.topic, value=record.value, key=key, headers=HEADERS, partition=self._partition(record.topic, key)
            )
        except KafkaError:
            return None

    def _partition(self, topic: str, key: bytes) -> int:
        # kafka-python's murmur2 is pure Python and costs as much as the rest of a send; crc32 spreads as well.
        if (count := self._partitions.get(topic)) is None:
            count = self._partitions[topic] = len(self._kafka.partitions_for(topic))
        return zlib.crc32(key) % count
