"""A consumer that is told to stop in the worst moment: between the poll and the transaction."""

from kafka.errors import KafkaError

from chassis.consumer import Consumer
from chassis.database import Database, rows_of, run_sql
from chassis.metrics import ConsumerMetrics
from chassis.producer import Producer, Record
from deploy.local import Infrastructure
from tests.services.chassis.ledger import HANDLERS, SCHEMA, Sum, Sums, captured, sealed
from tests.waiting import until


class StopsAtTheFirstReceipt(ConsumerMetrics):
    """Counts what comes in, and gives the order to stop as it does."""

    def __init__(self, consumer: "Consumer[dict[str, Sum]]") -> None:
        super().__init__("payments", "stopped")
        self._stopped = consumer

    def received(self, events: int) -> None:
        super().received(events)
        self._stopped._stopping.set()


def _consumer(database: Database, infrastructure: Infrastructure, topic: str) -> "Consumer[dict[str, Sum]]":
    return Consumer(
        database, infrastructure.kafka_bootstrap_servers, context="payments", group=f"of-{topic}", topics=[topic],
        handlers=HANDLERS, room=Sums(),
    )  # fmt: skip


def _produced(infrastructure: Infrastructure, topic: str, count: int) -> bool:
    try:
        producer = Producer(infrastructure.kafka_bootstrap_servers, "tests")
    except KafkaError:
        return False
    records = [Record(topic, f"key-{n}", sealed(captured(topic, f"key-{n}", 1))) for n in range(count)]
    taken = producer.send_round(records)
    producer.close()
    return all(taken)


def _applied(database: Database) -> int:
    sql = "SELECT COALESCE(sum(amount), 0) AS total FROM sums"
    return int(database.read(lambda connection: rows_of(connection, sql))[0].total)


def test_what_was_polled_in_the_moment_of_the_stop_is_not_lost(
    database: Database, infrastructure: Infrastructure, topic: str
) -> None:
    """Left unapplied, but with the position behind it committed, a record would be gone for good."""
    database.write(lambda connection: run_sql(connection, SCHEMA))
    assert until(lambda: _produced(infrastructure, topic, 30))
    stopped = _consumer(database, infrastructure, topic)
    stopped.folding.metrics = StopsAtTheFirstReceipt(stopped)
    stopped.start()
    assert until(stopped._stopping.is_set, seconds=20)
    stopped.stop()
    next_one = _consumer(database, infrastructure, topic)

    next_one.start()

    try:
        assert until(lambda: _applied(database) == 30, seconds=20), _applied(database)
    finally:
        next_one.stop()
