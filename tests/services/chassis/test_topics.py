"""Topics on a real broker."""

import os
import subprocess
import sys

from kafka.admin import KafkaAdminClient

from chassis.topics import TOPICS, TopicSettings, create_missing_topics
from deploy.local import Infrastructure
from tests.services.chassis.processes import PROJECT, nowhere


def test_missing_topics_are_made_and_made_again_nothing_happens(infrastructure: Infrastructure) -> None:
    settings = TopicSettings(kafka_bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    create_missing_topics(settings)

    assert create_missing_topics(settings) == []

    admin = KafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    try:
        described = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
    finally:
        admin.close()
    assert {topic.name: described.get(topic.name) for topic in TOPICS} == {topic.name: 12 for topic in TOPICS}


def test_without_a_broker_the_command_says_where_it_looked() -> None:
    where = nowhere()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "KAFKA_BOOTSTRAP_SERVERS": where}
    command = [sys.executable, "-m", "chassis.topics"]
    told = subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )

    assert told.returncode == 1
    assert where in told.stderr
    assert "Traceback" not in told.stderr
