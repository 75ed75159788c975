"""The life of a service's process."""

import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from chassis.topics import TopicSettings, create_missing_topics
from deploy.local import Infrastructure
from protos.orders.v1 import orders_pb2 as pb
from tests.services.chassis.own_database import own_database
from tests.services.chassis.processes import Process, environment, run_once, running
from tests.waiting import until


@pytest.fixture(scope="module")
def settings(infrastructure: Infrastructure) -> Iterator[dict[str, str]]:
    create_missing_topics(TopicSettings(kafka_bootstrap_servers=infrastructure.kafka_bootstrap_servers))
    with own_database(infrastructure.database_url, "orders") as url:
        found = environment(
            ORDERS_DATABASE_URL=url,
            KAFKA_BOOTSTRAP_SERVERS=infrastructure.kafka_bootstrap_servers,
            REDIS_URL=infrastructure.redis_url,
        )
        migrated = run_once({**found, "DATABASE_URL": infrastructure.database_url}, "--migrate")
        assert migrated.returncode == 0, migrated.stdout
        yield found


@pytest.fixture(scope="module")
def service(settings: dict[str, str]) -> Iterator[Process]:
    with running(settings) as process:
        process.await_health("SERVING")
        yield process


def test_a_running_service_tells_of_itself_and_each_dependency(service: Process) -> None:
    for name in ("", "database", "redis", "kafka", "orders.v1.OrderService", "operations.v1.OperationsService"):
        service.await_health("SERVING", name)


def test_metrics_answer_on_their_own_port(service: Process) -> None:
    service.orders.ListOrders(pb.ListOrdersRequest(customer_id="c"))

    with urllib.request.urlopen(f"http://127.0.0.1:{service.settings['METRICS_PORT']}/metrics") as answer:
        told = answer.read().decode()

    assert 'orders_rpc_requests_total{code="OK",method="orders.v1.OrderService/ListOrders"}' in told
    assert "process_resident_memory_bytes" in told
    assert 'orders_dependency_up{dependency="database"} 1.0' in told


def test_what_is_written_is_relayed(service: Process) -> None:
    order = pb.CreateOrderRequest(
        customer_id="c-17", idempotency_key="k", items=[pb.CreateOrderItem(sku="A", quantity=1)]
    )

    assert service.orders.CreateOrder(order).customer_id == "c-17"

    def relayed() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.settings['METRICS_PORT']}/metrics") as answer:
            return "orders_outbox_relayed_total 1.0" in answer.read().decode()

    assert until(relayed)


def test_an_idle_service_uses_less_than_a_hundredth_of_a_core(service: Process) -> None:
    def ticks() -> int:
        with open(f"/proc/{service.child.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before, started_at = ticks(), time.monotonic()
    until(lambda: time.monotonic() > started_at + 5, seconds=6, every=1)

    assert ticks() - before <= 8  # hundredths of a second, in five seconds, with room for a busy machine


def test_a_second_one_on_the_same_port_says_so_and_leaves(service: Process) -> None:
    second = run_once(service.settings)

    assert second.returncode == 1
    assert "cannot listen" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_stop_lets_a_call_under_way_finish_and_exits_with_0(settings: dict[str, str]) -> None:
    ports = environment()
    with running({**settings, "GRPC_PORT": ports["GRPC_PORT"], "METRICS_PORT": ports["METRICS_PORT"]}) as process:
        process.await_health("SERVING")
        with ThreadPoolExecutor(1) as caller:
            slow = caller.submit(process.orders.ListOrders, pb.ListOrdersRequest(customer_id="slow-1"))
            assert until(lambda: _in_flight(process) == 1)
            process.ask_to_stop()
            assert slow.result(timeout=10) == pb.ListOrdersResponse()
        assert process.exit_code() == 0
        assert '"event":"stopped"' in process.output()


def _in_flight(process: Process) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{process.settings['METRICS_PORT']}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith("orders_rpc_in_flight ")).split()[1])


STOPPED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""gRPC cancels the calls that it has read but not begun when the stop comes (grpc/grpc, issue 41785)."""
BACKOFF_SECONDS = 0.3


def test_a_restart_under_load_loses_no_call_of_a_client_that_tries_once_more(settings: dict[str, str]) -> None:
    ports = environment()
    moved = {**settings, "GRPC_PORT": ports["GRPC_PORT"], "METRICS_PORT": ports["METRICS_PORT"]}
    calling, answered, again = threading.Event(), [0], [0]
    order = pb.CreateOrderRequest(customer_id="c", idempotency_key="k", items=[pb.CreateOrderItem(sku="A", quantity=1)])

    def call(orders: Any) -> None:
        while calling.is_set():
            try:
                orders.CreateOrder(order, timeout=10)
            except grpc.RpcError as error:
                if error.code() not in STOPPED:
                    raise
                again[0] += 1
                # Whoever tries again at once may still meet the one that is going, as every retry policy knows.
                threading.Event().wait(BACKOFF_SECONDS)
                orders.CreateOrder(order, timeout=20, wait_for_ready=True)
            answered[0] += 1

    with ThreadPoolExecutor(8) as callers, running(moved) as first:
        first.await_health("SERVING")
        calling.set()
        called = [callers.submit(call, first.orders) for _ in range(8)]
        assert until(lambda: answered[0] > 100)
        first.ask_to_stop()
        assert first.exit_code() == 0
        with running(moved) as second:
            second.await_health("SERVING")
            before = answered[0]
            assert until(lambda: answered[0] > before + 100)
            calling.clear()
            for each in called:
                each.result(timeout=30)
    assert again[0] > 0


def test_a_second_signal_ends_it_at_once(settings: dict[str, str]) -> None:
    ports = environment(DRAIN_SECONDS="60")
    changes = {name: ports[name] for name in ("GRPC_PORT", "METRICS_PORT", "DRAIN_SECONDS")}
    with running({**settings, **changes}) as process:
        process.await_health("SERVING")
        slow = process.orders.ListOrders.future(pb.ListOrdersRequest(customer_id="slow-60"))
        assert until(lambda: _in_flight(process) == 1)
        process.ask_to_stop(signal.SIGINT)
        process.await_health("NOT_ANSWERING")
        process.ask_to_stop(signal.SIGINT)
        assert process.exit_code() == 128 + signal.SIGINT
        assert slow.code() is grpc.StatusCode.UNAVAILABLE


def test_it_starts_and_stops_without_postgres_kafka_and_redis() -> None:
    with running(environment()) as process:
        process.await_health("NOT_SERVING")
        for name in ("database", "redis", "kafka", "orders.v1.OrderService"):
            assert process.health(name) == "NOT_SERVING"
        process.ask_to_stop()
        assert process.exit_code() == 0
        assert "hush" not in process.output()


def test_a_database_that_never_answers_does_not_keep_it_from_stopping() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://orders:hush@127.0.0.1:{silent.getsockname()[1]}/orders_db"
        with running(environment(ORDERS_DATABASE_URL=url)) as process:
            process.await_health("NOT_SERVING", "database")
            asked_at = time.monotonic()
            process.ask_to_stop()
            assert process.exit_code() == 0
            assert time.monotonic() - asked_at < 5


def test_it_waits_for_its_schema_and_serves_when_that_is_there(infrastructure: Infrastructure) -> None:
    with own_database(infrastructure.database_url, "orders") as url:
        settings = environment(ORDERS_DATABASE_URL=url)
        with running(settings) as process:
            process.await_health("NOT_SERVING")
            migrated = run_once({**settings, "DATABASE_URL": infrastructure.database_url}, "--migrate")
            assert migrated.returncode == 0
            process.await_health("SERVING")
            assert process.health("kafka") == process.health("redis") == "NOT_SERVING"
            assert process.orders.ListOrders(pb.ListOrdersRequest()) == pb.ListOrdersResponse()


def test_without_the_role_api_it_serves_health_only_and_is_ready_without_postgres() -> None:
    # A worker waits for its database in the background, and says so under "database".
    with running(environment(ROLES="worker,relay,jobs")) as process:
        process.await_health("SERVING")
        assert process.health("database") == "NOT_SERVING"
        with pytest.raises(grpc.RpcError) as refused:
            process.orders.ListOrders(pb.ListOrdersRequest())
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_nonsense_is_refused_before_anything_starts() -> None:
    refused = run_once(environment(PORT_OFFSET="many", FAILPOINT="x"))

    assert refused.returncode == 2
    assert sorted(line.partition(":")[0] for line in refused.stderr.splitlines()) == ["FAILPOINT", "PORT_OFFSET"]


def test_a_migration_that_reaches_no_database_fails_with_a_sentence() -> None:
    failed = run_once(environment(), "--migrate")

    assert failed.returncode == 1
    assert "migration failed" in failed.stdout
    assert "hush" not in failed.stdout + failed.stderr


def test_settings_are_listed() -> None:
    listed = run_once({"PATH": "/usr/bin", "PYTHONPATH": environment()["PYTHONPATH"]}, "--settings")

    assert listed.returncode == 0
    assert "ORDERS_DATABASE_URL" in listed.stdout
    assert "(required)" in listed.stdout
