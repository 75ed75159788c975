"""Postgres, Valkey and Kafka come up from nothing, stay up, and leave nothing behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGKILL

import psycopg
import pytest
import redis
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.local import CannotStart, Infrastructure, temporary_state
from deploy.local.refusals import AlreadyRunning
from tests.services.deploy.leftovers import processes_of
from tests.waiting import until

GUARDIAN = """
import signal, sys
from pathlib import Path
from deploy.local import Infrastructure

with Infrastructure(Path(sys.argv[1]), provided={}):
    print("up", flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with temporary_state() as folder:
        yield folder


@pytest.fixture(scope="module")
def running(state: Path) -> Iterator[Infrastructure]:
    with Infrastructure(state, provided={}) as infrastructure:
        yield infrastructure


def test_all_three_answer_with_their_passwords(running: Infrastructure) -> None:
    with psycopg.connect(running.database_url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
    with closing(redis.Redis.from_url(running.redis_url)) as client:
        assert client.ping()
    with closing(KafkaAdminClient(bootstrap_servers=running.kafka_bootstrap_servers)) as admin:
        admin.create_topics([NewTopic("orders.events", num_partitions=12, replication_factor=1)])
        assert "orders.events" in admin.list_topics()


def test_nobody_gets_in_without_a_password(running: Infrastructure) -> None:
    where = running.place.address("postgres")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://owner@{where}/orders_db")
    passwordless = redis.Redis.from_url(f"redis://{running.place.address('valkey')}")
    with closing(passwordless), pytest.raises(redis.AuthenticationError):
        passwordless.ping()


def test_a_second_one_on_the_same_folder_is_refused(running: Infrastructure) -> None:
    with pytest.raises(AlreadyRunning, match="make stop"):
        Infrastructure(running.place.state, provided={}).start()


def test_a_second_one_on_the_same_ports_is_told_which_are_taken(running: Infrastructure) -> None:
    port = running.place.port("postgres")
    with (
        temporary_state() as elsewhere,
        pytest.raises(CannotStart, match=rf"port {port} \(postgres\) is used by process"),
    ):
        Infrastructure(elsewhere, running.place.port_offset, provided={}).start()


@pytest.mark.parametrize("name", ["postgres", "valkey", "kafka"])
def test_what_is_killed_comes_back_with_what_it_had(running: Infrastructure, name: str) -> None:
    with psycopg.connect(running.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (name text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [name])
    before = running.supervisor.pids[name]

    running.supervisor.kill(name, SIGKILL)

    assert until(lambda: running.supervisor.pids.get(name, before) != before)
    running.wait_ready(name)
    with psycopg.connect(running.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM kept WHERE name = %s", [name]).fetchone() == (1,)


def test_what_is_taken_down_stays_down_until_it_is_brought_up(running: Infrastructure) -> None:
    running.take_down("valkey")
    with closing(redis.Redis.from_url(running.redis_url)) as client, pytest.raises(redis.ConnectionError):
        client.ping()

    running.bring_up("valkey")
    with closing(redis.Redis.from_url(running.redis_url)) as client:
        assert client.ping()


def test_provided_parts_are_used_and_not_started(running: Infrastructure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", running.database_url)
    monkeypatch.setenv("REDIS_URL", running.redis_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", running.kafka_bootstrap_servers)

    with temporary_state() as elsewhere, Infrastructure(elsewhere) as guest:
        assert guest.supervisor.pids == {}
        assert guest.database_url == running.database_url
        assert running.place.address("postgres") in guest.environment["ORDERS_DATABASE_URL"]


def test_nothing_outlives_a_parent_that_is_killed_and_the_next_start_works() -> None:
    with temporary_state() as state:
        guardian = subprocess.Popen([sys.executable, "-c", GUARDIAN, str(state)], stdout=subprocess.PIPE, text=True)
        assert guardian.stdout is not None
        assert guardian.stdout.readline() == "up\n"
        assert {"postgres", "valkey", "kafka"} <= json.loads((state / "pids.json").read_text()).keys()

        guardian.kill()
        guardian.communicate()

        assert until(lambda: processes_of(state) == [])
        with Infrastructure(state, provided={}) as again:
            assert set(again.supervisor.pids) == {"postgres", "valkey", "kafka"}
        assert processes_of(state) == []
