"""What a process says that cannot do what it is for: which of its dependencies, and what is wrong with it."""

import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy.local import Infrastructure
from protos.orders.v1 import orders_pb2 as pb
from tests.services.chassis.own_database import own_database
from tests.services.chassis.processes import Process, environment, run_once, running
from tests.waiting import until

WITHOUT_API = "worker,relay,jobs"


def told(process: Process, name: str = "") -> tuple[str, str]:
    """The status of a name, and why, as any client of grpc.health.v1 can read it."""
    channel: Any = process.channel
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer, call = stub.Check.with_call(health_pb2.HealthCheckRequest(service=name), timeout=5)
    reason = dict(call.trailing_metadata() or ()).get("reason", "")
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status), str(reason)


def await_told(process: Process, name: str, status: str, reason: str) -> None:
    """Return when the name has this status for this reason."""

    def is_so() -> bool:
        try:
            found = told(process, name)
        except grpc.RpcError:
            return False
        return found[0] == status and reason in found[1]

    assert until(is_so, seconds=60), told(process, name)


def measured(process: Process, line: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{process.settings['METRICS_PORT']}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next((found.removeprefix(line).strip() for found in lines if found.startswith(line)), "")


def trouble(process: Process, dependency: str, reason: str) -> str:
    return measured(process, f'orders_dependency_trouble{{dependency="{dependency}",reason="{reason}"}}')


@pytest.fixture
def migrated(infrastructure: Infrastructure) -> Iterator[str]:
    """The URL of a database whose schema is as the code wants it."""
    with own_database(infrastructure.database_url, "orders") as url:
        made = run_once(environment(ORDERS_DATABASE_URL=url, DATABASE_URL=infrastructure.database_url), "--migrate")
        assert made.returncode == 0, made.stdout
        yield url


@contextmanager
def started(url: str, infrastructure: Infrastructure, **changes: str) -> Iterator[Process]:
    settings: Mapping[str, str] = environment(
        ORDERS_DATABASE_URL=url,
        KAFKA_BOOTSTRAP_SERVERS=infrastructure.kafka_bootstrap_servers,
        REDIS_URL=infrastructure.redis_url,
        **changes,
    )
    with running(settings) as process:
        yield process


def with_password(url: str, password: str) -> str:
    return make_url(url).set(password=password).render_as_string(hide_password=False)


@pytest.mark.parametrize(("roles", "ready"), [("api,worker,relay,jobs", "NOT_SERVING"), (WITHOUT_API, "SERVING")])
def test_a_wrong_password_is_told_in_every_role_and_the_process_goes_on_once_it_is_right(
    roles: str, ready: str, migrated: str, infrastructure: Infrastructure
) -> None:
    with started(with_password(migrated, "changed-since"), infrastructure, ROLES=roles) as process:
        await_told(process, "database", "NOT_SERVING", "the password is refused")
        await_told(process, "", ready, "database: the password is refused")
        assert trouble(process, "database", "password") == "1.0"

        with psycopg.connect(infrastructure.database_url, autocommit=True) as connection:
            role = sql.Identifier(make_url(migrated).username or "")
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD 'changed-since'").format(role))

        await_told(process, "", "SERVING", "")
        process.await_health("SERVING", "database")
        assert trouble(process, "database", "password") == "0.0"
        assert process.child.poll() is None
        process.ask_to_stop()
        process.exit_code()
        assert "changed-since" not in process.output()


def set_revision(url: str, revision: str) -> None:
    parts = make_url(url)
    with psycopg.connect(
        host=parts.host, port=parts.port, user=parts.username, password=parts.password, dbname=parts.database
    ) as connection:
        connection.execute("UPDATE orders.alembic_version SET version_num = %s", [revision])


@pytest.mark.parametrize(("roles", "ready"), [("api", "NOT_SERVING"), (WITHOUT_API, "SERVING")])
def test_a_schema_older_than_the_code_is_told_and_the_process_goes_on_once_it_is_migrated(
    roles: str, ready: str, migrated: str, infrastructure: Infrastructure
) -> None:
    set_revision(migrated, "0001")
    with started(migrated, infrastructure, ROLES=roles) as process:
        await_told(process, "database", "NOT_SERVING", "the schema is older than this release")
        await_told(process, "", ready, "database: the schema is older than this release")
        assert trouble(process, "database", "schema_older") == "1.0"

        set_revision(migrated, "0002")

        process.await_health("SERVING", "database")
        await_told(process, "", "SERVING", "")


def test_a_schema_newer_than_the_code_is_worked_with_and_told(migrated: str, infrastructure: Infrastructure) -> None:
    set_revision(migrated, "0099")
    with started(migrated, infrastructure) as process:
        await_told(process, "database", "SERVING", "the schema is newer than this release")
        await_told(process, "", "SERVING", "database: the schema is newer than this release")
        assert trouble(process, "database", "schema_newer") == "1.0"
        assert process.orders.ListOrders(pb.ListOrdersRequest(customer_id="c")) == pb.ListOrdersResponse()


def test_a_broker_that_nobody_reaches_is_told_and_orders_are_taken_all_the_same(migrated: str) -> None:
    with running(environment(ORDERS_DATABASE_URL=migrated)) as process:
        await_told(process, "kafka", "NOT_SERVING", "nobody is reached there")
        await_told(process, "", "SERVING", "kafka: nobody is reached there")
        assert trouble(process, "kafka", "unreachable") == "1.0"
        assert measured(process, 'orders_dependency_up{dependency="kafka"}') == "0.0"

        order = pb.CreateOrderRequest(
            customer_id="c-17", idempotency_key="k", items=[pb.CreateOrderItem(sku="A", quantity=1)]
        )
        assert process.orders.CreateOrder(order).customer_id == "c-17"

        assert until(lambda: measured(process, "orders_outbox_depth") == "1.0", seconds=30)
        assert process.child.poll() is None
