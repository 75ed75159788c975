"""A connection to the Kafka brokers for one thread, without the threads that the clients bring along."""

from typing import Final

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

METADATA_MS: Final = 4_000
_ANSWER_BYTES: Final = 100_000_000
"""An answer that is longer breaks the connection, for it cannot be an answer; kafka-python's own clients say the same.

Its bare client says 1 MB, which is less than a fetch of a backlog brings: that would be asked for again and again.
"""


def connect(bootstrap_servers: str, client_id: str, request_timeout_ms: int) -> KafkaNetClient:
    """A client that knows the brokers; raises KafkaError when none of them answers. For the caller to close."""
    client = KafkaNetClient(
        bootstrap_servers=bootstrap_servers.split(","),
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
