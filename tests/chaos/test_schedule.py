"""A seed is a run: the same faults at the same times, of every kind, at things that exist."""

from pathlib import Path

import pytest

from tests.chaos.failpoints import PROJECT, SERVICES, failpoints_of
from tests.chaos.schedule import BUSY_TABLES, DRAWS, LINKS, PROCESSES, SERVERS, SIMULATORS, TOPICS, schedule


def test_a_seed_is_a_schedule() -> None:
    assert schedule("a:1", 10) == schedule("a:1", 10)
    assert schedule("a:1", 10) != schedule("a:2", 10)


def test_faults_come_in_order_while_there_is_load() -> None:
    times = [fault.at for fault in schedule("b", 30)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < 30


def test_every_kind_of_fault_comes_and_hits_what_exists() -> None:
    faults = schedule("c", 5_000)
    assert len({fault.kind for fault in faults}) >= len(DRAWS)
    places = {*PROCESSES, *SERVERS, *SIMULATORS, *LINKS, *TOPICS, *BUSY_TABLES, *SERVICES.values(), "services"}
    assert {fault.target for fault in faults} <= places


@pytest.mark.parametrize("service", SERVICES)
def test_every_failpoint_in_the_code_is_known(service: str) -> None:
    own = [name for name in failpoints_of(service) if not name.startswith(f"{SERVICES[service]}.relay")]
    assert len(own) > 5
    assert all("{" not in name for name in own)


def test_no_failpoint_is_written_in_a_way_that_is_not_found() -> None:
    code = [path for package in ("chassis", *SERVICES) for path in Path(PROJECT / package).rglob("*.py")]
    calls = sum(path.read_text().count("failpoint(") for path in code if path.name != "failpoints.py")
    found = sum(path.read_text().count('failpoint("') + path.read_text().count('failpoint(f"') for path in code)
    assert calls == found
