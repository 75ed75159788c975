"""The load tests at work, in short: the last piece and equal requests on the real system, and scripts that k6 reads."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import Stack, temporary_state
from tests.load.run import SCRIPTS, Runner
from tests.load.scenarios import Scenario, last_piece, same_key
from tests.load.tool import NoLoadClient, find_k6

BUILD_SECONDS = 360.0
ROUNDS = 3

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def k6() -> Path:
    """Built where it is not there yet."""
    try:
        return find_k6(print, seconds=BUILD_SECONDS)
    except NoLoadClient as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def runner(k6: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A system of its own, whose books nobody else writes."""
    with temporary_state() as state, Stack(state) as running:
        opened = Runner(running, k6, tmp_path_factory.mktemp("k6"), print)
        yield opened
        opened.close()


@pytest.mark.parametrize("scenario", [last_piece(ROUNDS), same_key(ROUNDS)], ids=lambda scenario: scenario.name)
def test_fifty_at_once_get_what_they_are_owed(runner: Runner, scenario: Scenario) -> None:
    outcome = runner.run(scenario)

    assert outcome.is_met, [bar for bar in outcome.bars if not bar.is_met]


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.js") if path.name != "shop.js"))
def test_k6_reads_every_script(k6: Path, script: str, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps(["A", "B"]))

    done = subprocess.run(
        [k6, "inspect", str(SCRIPTS / script)], capture_output=True, text=True,
        env={**os.environ, "CATALOGUE": str(catalogue)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scenarios"]
