"""What the relay keeps: nothing lost, nothing reordered, one at a time."""

import math
import threading
from collections.abc import Iterator, Sequence

import pytest
from kafka import KafkaConsumer
from prometheus_client import REGISTRY

from chassis.database import Database, rows_of, run_sql
from chassis.envelope import Outgoing
from chassis.outbox import Relay, tell
from chassis.producer import Record
from deploy.local.infrastructure import Infrastructure
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent
from protos.payments.events.v1.events_pb2 import PaymentCaptured
from tests.services.chassis.ledger import captured
from tests.waiting import until


class _Unanswered(Relay):
    """One whose broker takes nothing."""

    def _send(self, records: Sequence[Record]) -> list[bool]:
        return [False] * len(records)


@pytest.fixture
def relays(database: Database, infrastructure: Infrastructure) -> Iterator[list[Relay]]:
    started: list[Relay] = []
    yield started
    for relay in started:
        relay.stop()


def _relay(database: Database, infrastructure: Infrastructure, relays: list[Relay]) -> Relay:
    relay = Relay(database, infrastructure.kafka_bootstrap_servers, "payments")
    relays.append(relay)
    relay.start()
    return relay


def _read(infrastructure: Infrastructure, topic: str, count: int) -> list[tuple[str, int]]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=infrastructure.kafka_bootstrap_servers, auto_offset_reset="earliest", group_id=None
    )
    found: list[tuple[str, int]] = []

    def enough() -> bool:
        for batch in consumer.poll(timeout_ms=200).values():
            for record in batch:
                event = CloudEvent.FromString(record.value)
                message = PaymentCaptured.FromString(event.proto_data.value)
                found.append((message.order_id, message.amount_minor))
        return len(found) >= count

    until(enough, seconds=20)
    consumer.close()
    return found


def _leases(database: Database) -> list[str]:
    rows = database.read(lambda connection: rows_of(connection, "SELECT owner FROM leases WHERE name = 'relay'"))
    return [str(row.owner) for row in rows]


def _lease_to(database: Database, owner: str, *, seconds: float) -> None:
    sql = "UPDATE leases SET owner = :owner, until = now() + make_interval(secs => :seconds) WHERE name = 'relay'"
    database.write(lambda connection: run_sql(connection, sql, owner=owner, seconds=seconds))


def _told(metric: str) -> float:
    return REGISTRY.get_sample_value(metric) or 0.0


def _backlog(database: Database) -> int:
    return int(database.read(lambda connection: rows_of(connection, "SELECT count(*) AS n FROM outbox"))[0].n)


def test_everything_told_reaches_the_topic_in_order_per_key(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    relay = _relay(database, infrastructure, relays)
    for number in range(20):
        facts = [captured(topic, f"key-{key}", number) for key in range(5)]
        database.write(lambda connection, facts=facts: tell(connection, facts, "payments"))
        relay.wake()

    found = _read(infrastructure, topic, 100)

    assert len(found) == 100
    for key in range(5):
        assert [number for name, number in found if name == f"key-{key}"] == list(range(20))
    assert until(lambda: _backlog(database) == 0)


def test_an_event_that_commits_late_under_a_smaller_id_is_not_skipped(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    """A cursor `id > last` passes over the slow writer's event, whose id was drawn first."""
    relay = _relay(database, infrastructure, relays)
    with database.begin() as slow:
        tell(slow, [captured(topic, "slow", 1)], "payments")
        database.write(lambda connection: tell(connection, [captured(topic, "quick", 2)], "payments"))
        relay.wake()
        assert _read(infrastructure, topic, 1) == [("quick", 2)]
    relay.wake()

    assert sorted(_read(infrastructure, topic, 2)) == [("quick", 2), ("slow", 1)]


def test_of_two_relays_one_sends_and_the_other_takes_over(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    first = _relay(database, infrastructure, relays)
    database.write(lambda connection: tell(connection, [captured(topic, "a", 1)], "payments"))
    first.wake()
    assert _read(infrastructure, topic, 1) == [("a", 1)]
    second = _relay(database, infrastructure, relays)
    database.write(lambda connection: tell(connection, [captured(topic, "a", 2)], "payments"))
    second.wake()
    first.stop()

    assert until(lambda: _read(infrastructure, topic, 2) == [("a", 1), ("a", 2)])


def test_who_stands_by_rings_for_the_one_that_leads(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    """Without the bell, what another process tells would wait until the one that leads looks by itself."""
    leads = Relay(database, infrastructure.kafka_bootstrap_servers, "payments", poll_seconds=600)
    stands_by = Relay(database, infrastructure.kafka_bootstrap_servers, "payments", poll_seconds=600)
    another_role = Relay(database, infrastructure.kafka_bootstrap_servers, "payments", may_lead=False)
    relays += [leads, stands_by, another_role]
    leads.start()
    assert until(lambda: _leases(database))
    stands_by.start()
    another_role.start()

    for number, relay in enumerate((stands_by, another_role, stands_by)):
        database.write(lambda connection, number=number: tell(connection, [captured(topic, "a", number)], "payments"))
        relay.wake()
        assert len(_read(infrastructure, topic, number + 1)) == number + 1


def test_whoever_stands_by_leads_as_soon_as_the_one_before_leaves(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    first = _relay(database, infrastructure, relays)
    assert until(lambda: _leases(database))
    led = _leases(database)
    second = Relay(database, infrastructure.kafka_bootstrap_servers, "payments")
    relays.append(second)
    second.start()
    assert until(lambda: second._stands_by)
    second._stands_by_until = math.inf  # so that nothing but a word ends it

    first.stop()

    assert until(lambda: _leases(database) not in ([], led))


def test_a_round_holds_at_most_one_event_of_a_key(database, infrastructure, topic) -> None:  # type: ignore[no-untyped-def]
    """Two of one key in flight may be swapped by a retry; one cannot."""
    relay = Relay(database, infrastructure.kafka_bootstrap_servers, "payments")
    facts = [captured(topic, "a", 1), captured(topic, "b", 2), captured(topic, "a", 3)]
    database.write(lambda connection: tell(connection, facts, "payments"))

    rows = database.write(relay._claim)

    assert [row.key for row in rows] == ["a", "b"]


def test_while_the_broker_is_away_facts_are_kept(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    nowhere = Relay(database, "127.0.0.1:9", "payments")
    nowhere.start()
    database.write(lambda connection: tell(connection, [captured(topic, "a", 1)], "payments"))
    nowhere.wake()
    nowhere.stop()
    assert _backlog(database) == 1

    _relay(database, infrastructure, relays)

    assert _read(infrastructure, topic, 1) == [("a", 1)]


def test_who_has_lost_the_lease_tells_no_backlog_and_who_has_it_again_does(database, topic, relays) -> None:  # type: ignore[no-untyped-def]
    """Else an alert about an old outbox would stay after a failover, for as long as the deposed process lives."""
    deposed = _Unanswered(database, "127.0.0.1:9", "deposed")
    relays.append(deposed)
    database.write(lambda connection: tell(connection, [captured(topic, "a", 1)], "payments"))
    deposed.start()
    assert until(lambda: _told("deposed_outbox_depth") == 1 and _told("deposed_outbox_age_seconds") > 0)

    _lease_to(database, "another", seconds=3_600)
    assert until(lambda: _told("deposed_outbox_depth") == 0 and _told("deposed_outbox_age_seconds") == 0)

    _lease_to(database, "another", seconds=-1)
    assert until(lambda: _told("deposed_outbox_depth") == 1 and _told("deposed_outbox_age_seconds") > 0)


def test_outbox_ids_follow_the_order_of_the_facts_under_concurrent_writers(database, topic) -> None:  # type: ignore[no-untyped-def]
    def write(name: str) -> None:
        facts = [captured(topic, name, number) for number in range(50)]
        database.write(lambda connection: tell(connection, facts, "payments"))

    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = database.read(lambda connection: rows_of(connection, "SELECT key, payload FROM outbox ORDER BY id"))
    for number in range(4):
        mine = [PaymentCaptured.FromString(CloudEvent.FromString(row.payload).proto_data.value).amount_minor
                for row in rows if row.key == f"w{number}"]  # fmt: skip
        assert mine == list(range(50))


def test_a_backlog_of_large_facts_is_relayed_as_well(database, infrastructure, topic, relays) -> None:  # type: ignore[no-untyped-def]
    """Sent together they are larger than what the broker takes at once: it would refuse them again in every round."""
    facts = [captured(topic, f"{number}-{'x' * 200_000}", number) for number in range(30)]
    facts = [Outgoing(topic, f"key-{number}", fact.message) for number, fact in enumerate(facts)]
    small = captured(topic, "small", 99)
    database.write(lambda connection: tell(connection, [*facts, small], "payments"))

    _relay(database, infrastructure, relays)

    assert sorted(number for _, number in _read(infrastructure, topic, 31)) == [*range(30), 99]
    assert until(lambda: _backlog(database) == 0)
