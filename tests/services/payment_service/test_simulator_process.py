"""The simulated provider as a process of its own: what it can be told, how it ends, and what it keeps when it dies."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from chassis import ids
from chassis.outside import Limits
from chassis.settings import SIMULATOR_PORTS
from deploy.local import Infrastructure
from payment_service.adapters.http import HttpProvider
from payment_service.domain import Captured, TimedOut
from payment_service.ports import ChargeRequest
from tests.waiting import until

_ROOT: Final = Path(__file__).parents[3]
_MODULE: Final = "payment_service.simulator"


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", _MODULE, *arguments]
    return subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def _running(environment: dict[str, str], url: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-m", _MODULE], cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        assert until(lambda: _is_ready(url), seconds=60), process.poll()
        yield process
    finally:
        process.kill()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def environment(infrastructure: Infrastructure, urls: dict[str, str]) -> dict[str, str]:
    return os.environ | infrastructure.environment


@pytest.fixture
def url(infrastructure: Infrastructure) -> str:
    return f"http://127.0.0.1:{SIMULATOR_PORTS['payments'] + infrastructure.place.port_offset}"


def _asked(url: str, questions: Sequence[str], key: str) -> list[Any]:
    """What it answers to a charge or a look-up of this key."""

    async def ask() -> list[Any]:
        provider = HttpProvider(url, Limits(timeout=10))
        charge = ChargeRequest(key, ids.new_id(), 510, "GBP", "sim_ok")
        answers: list[Any] = []
        for question in questions:
            try:
                answers.append(await (provider.charge(charge) if question == "charge" else provider.look_up(key)))
            except TimedOut as trouble:
                answers.append(trouble)
        await provider.close()
        return answers

    return asyncio.run(ask())


def test_it_lists_its_settings_and_refuses_nonsense_in_a_line(environment: dict[str, str]) -> None:
    listed = _run(environment, "--settings")
    refused = _run(environment | {"SIMULATION": "wild", "WEBHOOK_URL": "ftp://there", "LISTEN_HOST": "0.0.0.0"})

    assert listed.returncode == 0
    assert "PAYMENTS_SIMULATOR_DATABASE_URL" in listed.stdout
    assert refused.returncode == 2
    assert [line.partition(":")[0] for line in refused.stderr.splitlines()] == [
        "LISTEN_HOST", "SIMULATION", "WEBHOOK_URL",
    ]  # fmt: skip


def test_what_it_wrote_it_still_knows_when_it_died_before_it_could_say_so(
    environment: dict[str, str], url: str
) -> None:
    """Answered before its books were committed, a charge would be taken a second time by who asks again."""
    key = ids.new_id()
    with _running(environment | {"FAILPOINT": "payments_simulator.after_commit=crash"}, url) as process:
        [lost] = _asked(url, ["charge"], key)
        assert isinstance(lost, TimedOut)
        assert process.wait(10) == -signal.SIGKILL

    with _running(environment, url) as process:
        found, again = _asked(url, ["look up", "charge"], key)
        assert found == again == Captured(f"sim-{key}", 510, "GBP")
        second = _run(environment)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    assert second.returncode == 1
    assert "cannot listen" in second.stderr
