"""The rights that the manifests give in Kafka are enough for the services, and no more: on a broker that keeps them."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import GroupAuthorizationFailedError, KafkaError

from chassis.broker_health import reach
from chassis.brokers import Brokers
from chassis.consumer.fetcher import Fetcher
from chassis.consumer.member import Member
from chassis.producer import Producer, Record
from chassis.topics import TOPICS
from deploy.local import temporary_state
from deploy.local.place import PROJECT
from tests.brokers import GuardedBroker, guarded_broker
from tests.waiting import until

USERS = PROJECT / "deploy" / "kubernetes" / "stores" / "kafka" / "users.yaml"
KEEPS_RIGHTS = (
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Who comes in where nobody is asked: the broker itself, and we who give the rights.
    "super.users=User:ANONYMOUS",
)
SERVICES = ("orders-kafka", "inventory-kafka", "suppliers-kafka", "payments-kafka")


def rights() -> Mapping[str, list[Any]]:
    users = yaml.safe_load_all(USERS.read_text())
    return {user["metadata"]["name"]: user["spec"]["authorization"]["acls"] for user in users}


def names(user: str, kind: str, operation: str) -> list[str]:
    return [
        rule["resource"]["name"] for rule in rights()[user]
        if rule["resource"]["type"] == kind and operation in rule["operations"]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def broker() -> Iterator[GuardedBroker]:
    with temporary_state() as state, guarded_broker(state, KEEPS_RIGHTS) as made:
        admin = KafkaAdminClient(bootstrap_servers=made.unguarded)
        topics = [NewTopic(name=topic.name, num_partitions=2, replication_factor=1) for topic in TOPICS[1:]]
        admin.create_topics(topics)
        admin.create_acls([acl for user, rules in rights().items() for rule in rules for acl in acls(user, rule)])
        admin.close()
        yield made


def acls(user: str, rule: Any) -> Iterator[ACL]:
    """As Strimzi tells the broker."""
    resource = rule["resource"]
    pattern = ResourcePattern(
        ResourceType[resource["type"].upper()],
        resource["name"],
        ACLResourcePatternType[resource["patternType"].upper()],
    )
    for operation in rule["operations"]:
        yield ACL(f"User:CN={user}", "*", ACLOperation[operation.upper()], ACLPermissionType.ALLOW, pattern)


def made_topics(brokers: Brokers) -> None:
    admin = KafkaAdminClient(**brokers.options(), bootstrap_timeout_ms=10_000)
    try:
        admin.create_topics([NewTopic(name=TOPICS[0].name, num_partitions=2, replication_factor=1)])
        assert set(admin.list_topics()) >= {topic.name for topic in TOPICS}
    finally:
        admin.close()


def wrote(brokers: Brokers, topics: list[str]) -> bool:
    producer = Producer(brokers, "tests")
    try:
        return all(producer.send_round([Record(topic, "key", b"some") for topic in topics]))
    finally:
        producer.close()


def reads(brokers: Brokers, group: str, topics: list[str]) -> None:
    member = Member(brokers, group, topics)

    def is_settled() -> bool:
        member.keep()
        return len(member.positions()) == 2 * len(topics)

    try:
        assert until(is_settled, seconds=60)
        fetcher = Fetcher(brokers, "tests", member.positions())
        try:
            fetcher.fetch(10, 1.0)
        finally:
            fetcher.close()
        member.leave(member.positions())
    except BaseException:
        member.leave()
        raise


def test_who_makes_topics_may_and_a_service_may_not(broker: GuardedBroker) -> None:
    with pytest.raises((KafkaError, AssertionError)):
        made_topics(broker.by_certificate("orders-kafka"))
    made_topics(broker.by_certificate("topics-kafka"))


@pytest.mark.parametrize("user", SERVICES)
def test_a_service_may_do_what_it_does(broker: GuardedBroker, user: str) -> None:
    brokers = broker.by_certificate(user)

    asyncio.run(reach(brokers))
    assert wrote(brokers, names(user, "topic", "Write"))
    for group in names(user, "group", "Read"):
        reads(brokers, group, names(user, "topic", "Read"))


@pytest.mark.parametrize("user", [*SERVICES, "topics-kafka"])
def test_a_user_writes_no_topic_of_others(broker: GuardedBroker, user: str) -> None:
    brokers = broker.by_certificate(user)
    others = {topic.name for topic in TOPICS[1:]} - set(names(user, "topic", "Write"))

    for topic in sorted(others):
        with pytest.raises((KafkaError, AssertionError)):
            assert wrote(brokers, [topic])


def test_a_user_is_in_no_group_of_others(broker: GuardedBroker) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        reads(broker.by_certificate("payments-kafka"), "orders", ["payments.requests"])
