"""A schema of the chassis' own tables, and a topic, fresh for each test."""

from collections.abc import Iterator

import pytest
from kafka.admin import KafkaAdminClient, NewTopic
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chassis import ids, inbox
from chassis.database import Database, run_sql
from chassis.tables import create_chassis_tables
from deploy.local.infrastructure import Infrastructure


@pytest.fixture
def database(infrastructure: Infrastructure) -> Iterator[Database]:
    schema = f"chassis_{ids.new_id().replace('-', '')}"
    owner = create_engine(make_url(infrastructure.database_url).set(drivername="postgresql+psycopg"))
    with owner.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    made = Database(infrastructure.database_url, schema=schema, application_name="chassis-tests")
    with made.begin() as connection:
        create_chassis_tables(lambda statement: run_sql(connection, statement))
        inbox.renew_partitions(connection)
    yield made
    made.close()
    with owner.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    owner.dispose()


@pytest.fixture
def topic(infrastructure: Infrastructure) -> str:
    name = f"chassis.{ids.new_id()}"
    admin = KafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    admin.create_topics([NewTopic(name=name, num_partitions=3, replication_factor=1)])
    admin.close()
    return name
