"""Records as they come from a real broker."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from chassis.consumer.fetcher import Fetched, Fetcher
from chassis.producer import Producer, Record
from deploy.local import Infrastructure
from tests.waiting import until

Open = Callable[[Mapping[TopicPartition, int]], Fetcher]


@pytest.fixture
def opened(infrastructure: Infrastructure) -> Iterator[Open]:
    fetchers: list[Fetcher] = []

    def open_(positions: Mapping[TopicPartition, int]) -> Fetcher:
        fetchers.append(Fetcher(infrastructure.kafka_bootstrap_servers, "tests", positions))
        return fetchers[-1]

    yield open_
    for fetcher in fetchers:
        fetcher.close()


@pytest.fixture
def producer(infrastructure: Infrastructure) -> Iterator[Producer]:
    made = Producer(infrastructure.kafka_bootstrap_servers, "tests")
    yield made
    made.close()


def _from_start(topic: str) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, partition): 0 for partition in range(3)}


def _fetched(fetcher: Fetcher, count: int, limit: int = 500) -> list[Fetched]:
    records: list[Fetched] = []

    def is_whole() -> bool:
        records.extend(fetcher.fetch(limit, 0.5))
        return len(records) >= count

    assert until(is_whole, seconds=15), records
    return records


def test_every_record_comes_once_in_the_order_of_its_partition(topic: str, producer: Producer, opened: Open) -> None:
    for number in range(5):
        producer.send_round([Record(topic, f"key-{key}", f"{number}".encode()) for key in range(20)])

    records = _fetched(opened(_from_start(topic)), 100)

    assert len(records) == 100
    for key in range(20):
        mine = [record for record in records if record.key == f"key-{key}".encode()]
        assert [record.value for record in mine] == [b"0", b"1", b"2", b"3", b"4"]
        assert [record.offset for record in mine] == sorted(record.offset for record in mine)


def test_what_comes_while_it_waits_is_brought_by_the_request_that_waits(
    topic: str, producer: Producer, opened: Open
) -> None:
    fetcher = opened(_from_start(topic))
    assert fetcher.fetch(10, 0.2) == []

    producer.send_round([Record(topic, "a", b"later")])

    assert [record.value for record in _fetched(fetcher, 1)] == [b"later"]


def test_more_than_was_asked_for_is_kept_for_the_next_call(topic: str, producer: Producer, opened: Open) -> None:
    producer.send_round([Record(topic, f"key-{key}", b"") for key in range(30)])
    fetcher = opened(_from_start(topic))

    assert until(lambda: len(fetcher.fetch(7, 0.5)) == 7)
    assert len(fetcher.fetch(7, 0.0)) == 7


def test_a_backlog_of_megabytes_is_brought_as_well(topic: str, producer: Producer, opened: Open) -> None:
    for number in range(10):
        producer.send_round([Record(topic, f"key-{key}", bytes(50_000)) for key in range(number, number + 6)])

    assert len(_fetched(opened(_from_start(topic)), 60)) == 60


def test_it_goes_on_in_the_middle_of_a_compressed_batch(
    infrastructure: Infrastructure, topic: str, opened: Open
) -> None:
    other = KafkaProducer(
        bootstrap_servers=infrastructure.kafka_bootstrap_servers, compression_type="gzip", linger_ms=500
    )
    for number in range(10):
        other.send(topic, partition=1, key=b"k", value=f"{number}".encode())
    other.flush()
    other.close()

    records = _fetched(opened({TopicPartition(topic, 1): 6}), 4)

    assert [(record.offset, record.value) for record in records] == [(n, f"{n}".encode()) for n in range(6, 10)]


def test_where_retention_was_quicker_it_goes_on_with_the_oldest_record(
    infrastructure: Infrastructure, topic: str, producer: Producer, opened: Open
) -> None:
    for _ in range(10):
        producer.send_round([Record(topic, "one", b"")])
    place = TopicPartition(topic, _fetched(opened(_from_start(topic)), 10)[0].partition)
    admin = KafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    admin.delete_records({place: 8})
    admin.close()

    assert [record.offset for record in _fetched(opened({place: 3}), 2)] == [8, 9]


def test_a_session_that_the_broker_forgot_is_begun_anew(topic: str, producer: Producer, opened: Open) -> None:
    fetcher = opened(_from_start(topic))
    producer.send_round([Record(topic, "a", b"first")])
    assert [record.value for record in _fetched(fetcher, 1)] == [b"first"]
    for session in fetcher._sessions.values():
        session.id = 12345

    producer.send_round([Record(topic, "a", b"second")])

    assert [record.value for record in _fetched(fetcher, 1)] == [b"second"]


def test_it_knows_where_the_partitions_end(topic: str, producer: Producer, opened: Open) -> None:
    fetcher = opened(_from_start(topic))
    producer.send_round([Record(topic, f"key-{key}", b"") for key in range(30)])
    _fetched(fetcher, 30)

    assert sum(fetcher.ends().values()) == 30
