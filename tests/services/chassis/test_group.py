"""Several consumers of one group: partitions are shared, and what one leaves another takes over."""

import threading
from collections.abc import Callable, Iterator

import pytest
from kafka.errors import KafkaError

from chassis.consumer import Consumer
from chassis.database import Database, rows_of, run_sql
from chassis.producer import Producer, Record
from deploy.local import Infrastructure
from tests.services.chassis.ledger import HANDLERS, SCHEMA, Sum, Sums, captured, sealed
from tests.waiting import until

Start = Callable[[], "Consumer[dict[str, Sum]]"]


@pytest.fixture
def started(database: Database, infrastructure: Infrastructure, topic: str) -> Iterator[Start]:
    database.write(lambda connection: run_sql(connection, SCHEMA))
    consumers: list[Consumer[dict[str, Sum]]] = []

    def start() -> Consumer[dict[str, Sum]]:
        consumer = Consumer(
            database, infrastructure.kafka_bootstrap_servers, context="payments", group=f"of-{topic}", topics=[topic],
            handlers=HANDLERS, room=Sums(),
        )  # fmt: skip
        consumer.start()
        consumers.append(consumer)
        return consumer

    yield start
    for consumer in consumers:
        consumer.stop()


def _send(infrastructure: Infrastructure, topic: str, count: int) -> None:
    def is_sent() -> bool:
        try:
            producer = Producer(infrastructure.kafka_bootstrap_servers, "tests")
        except KafkaError:
            return False
        records = [Record(topic, f"key-{n}", sealed(captured(topic, f"key-{n}", 1))) for n in range(count)]
        taken = producer.send_round(records)
        producer.close()
        return all(taken)

    assert until(is_sent)


def _send_often(infrastructure: Infrastructure, topic: str) -> None:
    for _ in range(40):
        _send(infrastructure, topic, 25)


def _applied(database: Database) -> int:
    sql = "SELECT COALESCE(sum(amount), 0) AS total FROM sums"
    return int(database.read(lambda connection: rows_of(connection, sql))[0].total)


def _partitions(consumer: "Consumer[dict[str, Sum]]") -> int:
    return len(consumer._applied) if consumer._fetcher is not None else 0


def test_two_share_the_partitions_and_the_one_that_stays_takes_over(
    database: Database, infrastructure: Infrastructure, topic: str, started: Start
) -> None:
    first = started()
    assert until(lambda: _partitions(first) == 3, seconds=20)
    second = started()

    assert until(lambda: _partitions(first) + _partitions(second) == 3 and _partitions(second) > 0, seconds=30)
    _send(infrastructure, topic, 60)
    assert until(lambda: _applied(database) == 60, seconds=20), _applied(database)
    first.stop()
    assert until(lambda: _partitions(second) == 3, seconds=30)
    _send(infrastructure, topic, 40)

    assert until(lambda: _applied(database) == 100, seconds=20), _applied(database)


def test_each_knows_among_how_many_the_work_is_shared_out(started: Start) -> None:
    first = started()
    assert until(lambda: _partitions(first) == 3, seconds=20)
    alone = first._pace.sharers

    second = started()
    assert until(lambda: _partitions(first) + _partitions(second) == 3 and _partitions(second) > 0, seconds=30)
    shared = {first._pace.sharers, second._pace.sharers}
    first.stop()
    assert until(lambda: _partitions(second) == 3, seconds=30)

    assert (alone, shared, second._pace.sharers) == (1.0, {1.5, 3.0}, 1.0)


def test_one_that_comes_and_goes_under_load_loses_and_doubles_nothing(
    database: Database, infrastructure: Infrastructure, topic: str, started: Start
) -> None:
    started()
    sending = threading.Thread(target=_send_often, args=(infrastructure, topic))
    sending.start()
    for _ in range(3):
        guest = started()
        assert until(lambda guest=guest: _partitions(guest) > 0, seconds=30)  # type: ignore[misc]
        guest.stop()
    sending.join()

    assert until(lambda: _applied(database) == 1000, seconds=30), _applied(database)
