"""Brokers that ask who calls: who may come in goes through, who may not hears why, and no password is told."""

import asyncio
import dataclasses
import gc
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from chassis.broker_health import reach
from chassis.brokers import Brokers
from chassis.consumer.fetcher import Fetched, Fetcher
from chassis.consumer.member import Member
from chassis.producer import Producer, Record
from chassis.topics import TOPICS
from chassis.troubles import Trouble
from deploy.local import temporary_state
from tests.brokers import PASSWORD, GuardedBroker, guarded_broker
from tests.certificates import Authority
from tests.services.chassis.processes import environment, running
from tests.services.chassis.test_troubles import told
from tests.waiting import until


@pytest.fixture(scope="module")
def broker() -> Iterator[GuardedBroker]:
    with temporary_state() as state, guarded_broker(state) as made:
        yield made


def topic_of(broker: GuardedBroker, protocol: str, mechanism: str) -> str:
    name = f"by.{protocol}.{mechanism}"
    admin = KafkaAdminClient(bootstrap_servers=broker.unguarded)
    admin.create_topics([NewTopic(name=name, num_partitions=2, replication_factor=1)])
    admin.close()
    return name


def way_in(broker: GuardedBroker, protocol: str, mechanism: str) -> Brokers:
    return broker.by_certificate() if protocol == "SSL" else broker.by_password(protocol, mechanism)


def sent(brokers: Brokers, topic: str, keys: int) -> None:
    producer = Producer(brokers, "tests")
    try:
        assert all(producer.send_round([Record(topic, f"key-{number}", b"some") for number in range(keys)]))
    finally:
        producer.close()


def assigned(member: Member) -> Mapping[TopicPartition, int]:
    def is_settled() -> bool:
        member.keep()
        return len(member.positions()) == 2

    assert until(is_settled, seconds=60)
    return member.positions()


def fetched(brokers: Brokers, positions: Mapping[TopicPartition, int], count: int) -> list[Fetched]:
    fetcher, records = Fetcher(brokers, "tests", positions), list[Fetched]()

    def is_whole() -> bool:
        records.extend(fetcher.fetch(100, 0.5))
        return len(records) >= count

    try:
        assert until(is_whole, seconds=60), records
    finally:
        fetcher.close()
    return records


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SSL", ""),
        ("SASL_SSL", "SCRAM-SHA-512"),
        ("SASL_SSL", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256"),
    ],
)
def test_records_go_in_and_out_for_who_may_come_in(broker: GuardedBroker, protocol: str, mechanism: str) -> None:
    brokers = way_in(broker, protocol, mechanism)
    asyncio.run(reach(brokers))
    topic = topic_of(broker, protocol, mechanism)
    member = Member(brokers, f"of-{topic}", [topic])
    try:
        sent(brokers, topic, 20)
        assert len(fetched(brokers, assigned(member), 20)) == 20
    finally:
        member.leave()


def wrong_password(broker: GuardedBroker) -> Brokers:
    return broker.by_password("SASL_SSL", "SCRAM-SHA-512", "guessed")


def wrong_plain_password(broker: GuardedBroker) -> Brokers:
    return broker.by_password("SASL_PLAINTEXT", "PLAIN", "guessed")


def other_authority(broker: GuardedBroker) -> Brokers:
    stranger = Authority(broker.place.state, "stranger")
    return dataclasses.replace(broker.by_password("SASL_SSL", "SCRAM-SHA-512"), authorities=stranger.file)


def no_certificate(broker: GuardedBroker) -> Brokers:
    return dataclasses.replace(broker.by_certificate(), certificate=None, key=None)


def anothers_certificate(broker: GuardedBroker) -> Brokers:
    folder = broker.place.state / "elsewhere"
    folder.mkdir(exist_ok=True)
    shown = Authority(folder, "stranger").pair("orders-kafka")
    return dataclasses.replace(broker.by_certificate(), certificate=shown.certificate, key=shown.key)


# kafka-python leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize(
    ("wrong", "reason", "sentence"),
    [
        (wrong_password, "password", "the login is refused"),
        (wrong_plain_password, "password", "the login is refused"),
        (other_authority, "tls", "TLS fails: "),
        (no_certificate, "tls", "TLS fails: "),
        (anothers_certificate, "tls", "TLS fails: "),
    ],
)
def test_who_may_not_come_in_hears_why(
    broker: GuardedBroker, wrong: Callable[[GuardedBroker], Brokers], reason: str, sentence: str
) -> None:
    with pytest.raises(Trouble) as heard:
        asyncio.run(reach(wrong(broker)))

    assert heard.value.reason == reason
    assert heard.value.sentence.startswith(sentence)
    gc.collect()


def settings_of(brokers: Brokers) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": brokers.addresses,
        "KAFKA_SECURITY_PROTOCOL": brokers.protocol,
        "KAFKA_SASL_MECHANISM": brokers.mechanism,
        "KAFKA_USER": brokers.user,
        "KAFKA_PASSWORD": brokers.password,
        "KAFKA_TLS_CA_FILE": str(brokers.authorities or ""),
    }


def topics_made(brokers: Brokers) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chassis.topics"], env=environment(**settings_of(brokers)),
        cwd=Path(__file__).resolve().parents[3], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_topics_are_made_by_who_logs_in_and_not_by_who_guesses(broker: GuardedBroker) -> None:
    made = topics_made(broker.by_password("SASL_SSL", "SCRAM-SHA-512"))
    guessed = topics_made(wrong_password(broker))

    assert (made.returncode, made.stderr) == (0, "")
    assert f"{len(TOPICS)} topics are there" in made.stdout
    assert guessed.returncode == 1
    assert "the login is refused" in guessed.stderr
    assert "guessed" not in guessed.stdout + guessed.stderr
    assert PASSWORD not in made.stdout


def test_a_process_whose_login_is_refused_says_so_goes_on_and_keeps_the_password(broker: GuardedBroker) -> None:
    with running(environment(**settings_of(wrong_password(broker)))) as process:
        process.await_health("NOT_SERVING", "kafka")
        assert until(lambda: "the login is refused" in told(process, "kafka")[1], seconds=60), told(process, "kafka")
        assert process.child.poll() is None
        process.ask_to_stop()
        process.exit_code()
        assert "guessed" not in process.output()
