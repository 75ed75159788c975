"""A connection to the Kafka brokers for one thread, without the threads that the clients bring along."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

METADATA_MS: Final = 4_000
_ANSWER_BYTES: Final = 100_000_000
"""An answer that is longer breaks the connection, for it cannot be an answer; kafka-python's own clients say the same.

Its bare client says 1 MB, which is less than a fetch of a backlog brings: that would be asked for again and again.
"""


@dataclass(frozen=True, slots=True)
class Brokers:
    """Where the brokers are (host:port, several separated by commas), and how and as whom they are spoken to."""

    addresses: str
    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_by_tls(self) -> bool:
        """Whether what is said is encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def is_open(self) -> bool:
        """Whether whoever reaches them may speak: without TLS and without a login."""
        return self.protocol == "PLAINTEXT"

    def options(self) -> dict[str, Any]:
        """What each client of kafka-python is told. It reads the files for each connection: renewed ones are used."""
        told: dict[str, Any] = {"bootstrap_servers": self.addresses.split(","), "security_protocol": self.protocol}
        if self.is_by_tls:
            files = {"ssl_cafile": self.authorities, "ssl_certfile": self.certificate, "ssl_keyfile": self.key}
            told |= {name: str(file) for name, file in files.items() if file is not None}
        if self.mechanism:
            told |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return told


AnyBrokers = Brokers | str
"""Addresses alone are those of brokers that anybody may speak to."""


def options_of(brokers: AnyBrokers) -> dict[str, Any]:
    """What each client of kafka-python is told about the brokers."""
    return (Brokers(brokers) if isinstance(brokers, str) else brokers).options()


def connect(brokers: AnyBrokers, client_id: str, request_timeout_ms: int) -> KafkaNetClient:
    """A client that knows the brokers; raises KafkaError when none of them answers. For the caller to close."""
    client = KafkaNetClient(
        **options_of(brokers),
        client_id=client_id,
        request_timeout_ms=request_timeout_ms,
        receive_message_max_bytes=_ANSWER_BYTES,
        reconnect_backoff_max_ms=1_000,
    )
    try:
        client.get_broker_version(timeout_ms=METADATA_MS)
    except BaseException:
        client.close()
        raise
    return client


def partitions_of(client: KafkaNetClient, topic: str) -> int:
    """How many partitions a topic has; asks the brokers for what is not known yet. Raises KafkaError."""
    partitions = client.cluster.partitions_for_topic(topic)
    if not partitions:
        client.poll(timeout_ms=METADATA_MS, future=client.cluster.add_topic(topic))
        partitions = client.cluster.partitions_for_topic(topic)
    if not partitions:
        raise KafkaTimeoutError(f"the broker does not know the topic {topic}")
    return len(partitions)


def leader_of(client: KafkaNetClient, place: TopicPartition) -> int | None:
    """The broker that leads a partition; None while there is none."""
    leader = client.cluster.leader_for_partition(place)
    return leader if leader is not None and leader >= 0 else None
