"""The topics of the system, and how they come to be: `python -m chassis.topics` makes those that are missing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.logs import configure_logs
from chassis.settings import bootstrap_servers, broker_addresses, load_settings, port_offset, settings_table

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


class TopicSettings(BaseSettings):
    """What `python -m chassis.topics` can be told."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    kafka_bootstrap_servers: Annotated[str, AfterValidator(broker_addresses)] = Field(
        default="", description="brokers, host:port; default 127.0.0.1:59092 + PORT_OFFSET"
    )
    port_offset: int = port_offset()
    kafka_partitions: int = Field(default=12, ge=1, le=1_000, description="partitions of a topic that is made")
    kafka_replication_factor: int = Field(
        default=-1, ge=-1, le=10, description="copies of a topic that is made; -1: as the broker has it"
    )


def create_missing_topics(settings: TopicSettings) -> list[str]:
    """Make the topics that are not there, return their names. Raises KafkaError when no broker answers."""
    admin = KafkaAdminClient(
        bootstrap_servers=bootstrap_servers(settings.kafka_bootstrap_servers, settings.port_offset).split(","),
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
        where = bootstrap_servers(settings.kafka_bootstrap_servers, settings.port_offset)
        print(f"Kafka at {where} does not make our topics: {error}. Is it up, and may we?", file=sys.stderr)
        return 1
    print(f"{len(TOPICS)} topics are there; made now: {', '.join(made) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
