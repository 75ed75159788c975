"""The topics of the system, and how they come to be: `python -m chassis.topics` makes those that are missing."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.broker_health import reach
from chassis.broker_settings import BrokerSettings
from chassis.brokers import Brokers
from chassis.logs import configure_logs
from chassis.settings import load_settings, port_offset, settings_table
from chassis.troubles import Trouble

_DAY_MS: Final = 24 * 3_600_000
_PATIENCE_MS: Final = 5_000
_FACTS: Final = {"retention.ms": str(7 * _DAY_MS), "max.message.bytes": str(16 * 1024 * 1024)}
"""An order of 5,000 lines with the longest of names is one fact of more than the 1 MB that brokers take by default."""


@dataclass(frozen=True)
class Topic:
    """A topic and what sets it apart from the broker's defaults."""

    name: str
    configs: Mapping[str, str] = field(default_factory=lambda: dict(_FACTS))


TOPICS: Final = (
    Topic("orders.events"),
    Topic("inventory.events"),
    # A copy of the catalogue can be made from it at any time: the last word on each SKU stays for good.
    Topic("inventory.products", {"cleanup.policy": "compact"}),
    Topic("payments.requests"),
    Topic("payments.events"),
    Topic("suppliers.requests"),
    Topic("suppliers.events"),
)


class TopicSettings(BrokerSettings):
    """What `python -m chassis.topics` can be told."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    port_offset: int = port_offset()
    kafka_partitions: int = Field(default=12, ge=1, le=1_000, description="partitions of a topic that is made")
    kafka_replication_factor: int = Field(
        default=-1, ge=-1, le=10, description="copies of a topic that is made; -1: as the broker has it"
    )


def create_missing_topics(settings: TopicSettings) -> list[str]:
    """Make the topics that are not there, return their names. Raises KafkaError when no broker answers."""
    admin = KafkaAdminClient(
        **settings.brokers_at(settings.port_offset).options(),
        client_id="topics",
        bootstrap_timeout_ms=_PATIENCE_MS,
        request_timeout_ms=_PATIENCE_MS,
    )
    try:
        there = set(admin.list_topics())
        return [topic.name for topic in TOPICS if topic.name not in there and _create(admin, topic, settings)]
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, topic: Topic, settings: TopicSettings) -> bool:
    options: dict[str, Any] = {
        "num_partitions": settings.kafka_partitions,
        "replication_factor": settings.kafka_replication_factor,
        "configs": dict(topic.configs),
    }
    try:
        admin.create_topics({topic.name: options}, timeout_ms=_PATIENCE_MS, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False  # somebody else was quicker
    return True


def _why(brokers: Brokers, error: KafkaError) -> str:
    """What keeps us out, where it is that; the client only tells that it waited in vain."""
    try:
        asyncio.run(reach(brokers))
    except (Trouble, KafkaError, ConnectionError) as refusal:
        return str(refusal)
    return str(error)


def main(arguments: Sequence[str]) -> int:
    """Make the missing topics; 0 when all are there, 1 when the broker cannot be reached, 2 for a wrong call."""
    if arguments == ["--settings"]:
        print(settings_table(TopicSettings))
        return 0
    if arguments:
        print("usage: python -m chassis.topics [--settings]", file=sys.stderr)
        return 2
    configure_logs("topics", "ERROR")
    settings = load_settings(TopicSettings)
    try:
        made = create_missing_topics(settings)
    except KafkaError as error:
        brokers = settings.brokers_at(settings.port_offset)
        told = f"Kafka at {brokers.addresses} does not make our topics: {_why(brokers, error)}. Is it up, and may we?"
        print(told, file=sys.stderr)
        return 1
    print(f"{len(TOPICS)} topics are there; made now: {', '.join(made) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
