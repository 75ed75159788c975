"""Parties outside that are switched by hand, while they run."""

import json
from collections.abc import Iterator, Sequence

import pytest
from click.testing import Result

from chassis.simulation.behaviour import Behaviour
from chassis.simulation.switch import Endpoint
from tests.simulators import Served
from tests.unit.gateway.orderctl.conftest import Orderctl


class Nobody:
    """A party that can be asked for nothing."""

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        return []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def ping(self) -> None:
        pass


@pytest.fixture
def party(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with Served(lambda _switch: Nobody()) as served:
        monkeypatch.setenv("PAYMENT_PROVIDER_URL", served.url)
        yield served


def test_a_party_is_switched_shown_and_reset(party: Served, orderctl: Orderctl) -> None:
    changed = orderctl("simulate", "payments", "set", "--errors", 30, "--latency", 200)
    shown = orderctl("simulate", "payments", "show", "--output", "json")
    reset = orderctl("simulate", "payments", "reset", "--output", "json")

    assert changed.exit_code == 0, changed.output
    assert "errors               30" in changed.output
    assert told(shown) == Behaviour(errors=30, latency_ms=200).model_dump()
    assert told(reset) == Behaviour().model_dump()


def told(result: Result) -> object:
    """Its last line: here the party writes its log to the same place."""
    return json.loads(result.output.splitlines()[-1])["data"]


def test_nonsense_is_refused_by_its_name(party: Served, orderctl: Orderctl) -> None:
    refused = orderctl("simulate", "payments", "set", "--errors", 300)

    assert (refused.exit_code, refused.output.strip()) == (2, "Error: errors: must be less than or equal to 100")
    assert orderctl("simulate", "payments", "set").exit_code == 2


def test_where_no_process_plays_them_that_is_said(party: Served, orderctl: Orderctl) -> None:
    party.stop()

    refused = orderctl("simulate", "payments", "show")

    assert refused.exit_code == 1
    assert "SIMULATORS=http" in refused.output
