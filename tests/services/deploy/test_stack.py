"""The verbs that bring the whole system up on one machine, and take it down again."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest

from deploy.local import temporary_state
from deploy.local.ports import free_offset
from deploy.local.services import SERVICES
from tests.services.deploy.leftovers import processes_of
from tests.waiting import until

EVERYTHING = {"postgres", "valkey", "kafka", *(service.name for service in SERVICES)}
PROVIDED_PARTS = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "MAKELEVEL", "ORDERS")


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with temporary_state() as folder:
        yield folder


@pytest.fixture(scope="module")
def environment(state: Path) -> Iterator[Mapping[str, str]]:
    own = {name: value for name, value in os.environ.items() if name not in PROVIDED_PARTS}
    moved = {**own, "STATE_DIR": str(state), "PORT_OFFSET": str(free_offset())}
    yield moved
    local("stop", moved)


@pytest.fixture
def started(environment: Mapping[str, str], state: Path) -> Path:
    """A stack in the background; one that still runs from the test before will do."""
    answer = local("start", environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return state


def local(verb: str, environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.local", verb, *words]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False, timeout=150)


def pids(state: Path) -> Mapping[str, int]:
    known: Mapping[str, int] = json.loads((state / "pids.json").read_text())
    return known


def test_start_brings_everything_up_and_stop_leaves_nothing(started: Path, environment: Mapping[str, str]) -> None:
    shown = local("status", environment)

    assert shown.returncode == 0, shown.stdout
    assert pids(started).keys() == EVERYTHING | {"supervisor"}
    assert shown.stdout.count(" answers ") == len(EVERYTHING)

    again = local("start", environment)
    assert "runs already" in again.stdout
    assert again.returncode == 0

    assert local("stop", environment).returncode == 0
    assert processes_of(started) == []
    assert local("status", environment).returncode == 1


def test_whatever_is_killed_is_started_again(started: Path, environment: Mapping[str, str]) -> None:
    before = pids(started)

    for name in EVERYTHING:
        os.kill(before[name], SIGKILL)

    assert until(lambda: all(pids(started).get(name, before[name]) != before[name] for name in EVERYTHING), seconds=30)
    assert until(lambda: local("status", environment).returncode == 0, seconds=60)
    told = local("logs", environment, "local", "--no-follow", "--lines", "100").stdout
    assert all(f"{name} died (signal 9), starts again" in told for name in EVERYTHING)


def test_nothing_outlives_a_supervisor_that_is_killed(started: Path) -> None:
    os.kill(pids(started)["supervisor"], SIGKILL)

    assert until(lambda: processes_of(started) == [])


def test_a_stack_in_the_foreground_ends_cleanly_on_ctrl_c(environment: Mapping[str, str], state: Path) -> None:
    local("stop", environment)
    (state / "orders-loaded").touch()
    command = [sys.executable, "-m", "deploy.local", "run"]
    with subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, text=True) as stack:
        assert stack.stdout is not None
        assert any("dashboard" in line for line in stack.stdout)

        stack.send_signal(SIGINT)

        assert stack.wait(60) == 0
        assert "everything is stopped" in stack.stdout.read()
    assert processes_of(state) == []


def test_a_service_that_refuses_its_settings_is_quoted(environment: Mapping[str, str], state: Path) -> None:
    local("stop", environment)
    answer = local("start", {**environment, "RESERVATION_SECONDS": "never"})

    assert answer.returncode == 1
    assert "RESERVATION_SECONDS" in answer.stdout
    assert processes_of(state) == []


def test_orders_that_are_not_there_are_named_before_anything_starts(environment: Mapping[str, str]) -> None:
    answer = local("run", {**environment, "ORDERS": "/no/such/orders.csv"})

    assert answer.returncode == 1
    assert "ORDERS names /no/such/orders.csv" in answer.stderr
