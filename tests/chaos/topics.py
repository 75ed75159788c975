"""What stands on the topics, held against what each consumer made of it (I6), and against the timelines."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Connection, text

import inventory_service.event_handlers
import order_service.event_handlers
import payment_service.event_handlers
import supplier_service.event_handlers
from chassis import clock, ids
from chassis.envelope import type_of
from chassis.topics import TOPICS
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent
from tests.chaos.invariants import MOST_ROWS, Broken

READERS: Final[Mapping[str, frozenset[str]]] = {
    "orders": frozenset(
        map(type_of, [*order_service.event_handlers.HANDLERS, *order_service.event_handlers.PRODUCT_HANDLERS])
    ),
    "inventory": frozenset(map(type_of, inventory_service.event_handlers.HANDLERS)),
    "payments": frozenset(map(type_of, payment_service.event_handlers.HANDLERS)),
    "suppliers": frozenset(map(type_of, supplier_service.event_handlers.HANDLERS)),
}
"""By schema, the types of event that it acts on."""

TOLD_OF: Final = {
    "PENDING": "OrderPlaced", "RESERVED": "PaymentRequested", "COMPLETED": "OrderCompleted",
    "COMPENSATING": "OrderCompensating", "CANCELLING": "OrderCancelling", "CANCELLED": "OrderCancelled",
    "FAILED": "OrderFailed", "EXPIRED": "OrderExpired",
}  # fmt: skip
"""The steps that are told to others, and the event that tells each."""
READ_SECONDS: Final = 30.0
POLL_MS: Final = 200

_KNOWN: Final = """
    SELECT CAST(id AS text) FROM {schema}.inbox WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION SELECT CAST(id AS text) FROM {schema}.dead_letters WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION SELECT key FROM {schema}.dead_letters WHERE key LIKE 'chaos-%'
"""
_STEPS: Final = """
    SELECT CAST(order_id AS text) AS order_id, to_status FROM orders.timeline
    WHERE at >= :since AND from_status IS DISTINCT FROM to_status
"""


@dataclass(frozen=True)
class Written:
    """A record on a topic; `type` is empty where the bytes are no event."""

    topic: str
    key: str
    value: bytes
    id: str
    type: str


class Topics:
    """Reads every topic on from where it stopped the last time."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._positions: dict[TopicPartition, int] = {}

    def read_on(self) -> list[Written]:
        """Everything written since. Raises KafkaError, or RuntimeError when it takes too long."""
        with reader(self._bootstrap_servers) as consumer:
            places = places_of(consumer, [topic.name for topic in TOPICS])
            consumer.assign(places)
            for place in places:
                consumer.seek(place, self._positions.get(place, 0))
            return self._read_to(consumer, consumer.end_offsets(places))

    def skip(self) -> None:
        """To the ends, without a look."""
        with reader(self._bootstrap_servers) as consumer:
            self._positions = consumer.end_offsets(places_of(consumer, [topic.name for topic in TOPICS]))

    def _read_to(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> list[Written]:
        found: list[Written] = []
        deadline = clock.monotonic() + READ_SECONDS
        while any(consumer.position(place) < end for place, end in ends.items()):
            if clock.monotonic() > deadline:
                raise RuntimeError("the topics could not be read to their ends")
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                found.extend(written(record.topic, record.key, record.value) for record in records)
        self._positions = {place: consumer.position(place) for place in ends}
        return found


@contextmanager
def reader(bootstrap_servers: str, group: str | None = None) -> Iterator[Any]:
    """A consumer that commits nothing by itself; with a group, its offsets can be set while it has no members."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False, group_id=group)
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


def places_of(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics."""
    return [
        TopicPartition(topic, partition) for topic in topics for partition in consumer.partitions_for_topic(topic) or ()
    ]


def set_offsets(bootstrap_servers: str, group: str, topics: Iterable[str], back: int = 0) -> None:
    """Has a group without members go on at the ends of topics, or so many records before them. Raises KafkaError."""
    with reader(bootstrap_servers, group) as consumer:
        ends = consumer.end_offsets(places_of(consumer, topics))
        begin = {place: OffsetAndMetadata(max(0, end - back), "", -1) for place, end in ends.items()}
        consumer.assign(list(ends))
        consumer.commit(begin)


def written(topic: str, key: bytes | None, value: bytes | None) -> Written:
    try:
        event = CloudEvent.FromString(value or b"")
    except DecodeError:
        event = CloudEvent()
    is_event = ids.is_id(event.id)
    return Written(topic, (key or b"").decode(errors="replace"), value or b"", event.id, event.type if is_event else "")


def unheard(connection: Connection, records: Iterable[Written]) -> Broken:
    """Events that a consumer acts on and knows nothing of: neither claimed nor parked."""
    by_type: dict[str, list[Written]] = defaultdict(list)
    for record in records:
        by_type[record.type].append(record)
    lost: list[Mapping[str, Any]] = []
    for schema, types in READERS.items():
        expected = {record.id: record for type_ in types for record in by_type[type_]}
        sql = text(_KNOWN.format(schema=schema))
        known = set(connection.execute(sql, {"ids": list(expected)}).scalars())
        lost += [
            {"schema": schema, "topic": record.topic, "type": record.type, "id": record.id, "order_id": record.key}
            for record in expected.values()
            # What could not be decoded is parked under an id of its own, here each under a key of its own.
            if record.id not in known and record.key not in known
        ]
    return {"I6 every fact on a topic was taken by those who act on it": lost[:MOST_ROWS]} if lost else {}


def untold(connection: Connection, records: Sequence[Written], since: Any) -> Broken:
    """Steps of orders that others act on, and that no topic tells of."""
    told = {(record.key, record.type.rpartition(".")[2]) for record in records}
    steps = connection.execute(text(_STEPS), {"since": since}).mappings()
    missing: list[Mapping[str, Any]] = [
        dict(step)
        for step in steps
        if step["to_status"] in TOLD_OF and (step["order_id"], TOLD_OF[step["to_status"]]) not in told
    ]
    return {"I6 every step that another context acts on was told": missing[:MOST_ROWS]} if missing else {}
