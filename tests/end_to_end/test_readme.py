"""What the README tells a reader to type does what it says there."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.local import Stack
from tests.end_to_end.shop import Shop
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
MONTH = "readme-month.csv"
"""Named apart: another file of the same name would be another shop's month under the same source."""
CUSTOMER = f"readme-{uuid.uuid4().hex}"
"""Somebody whose orders no other test places."""
COMMANDS = {"curl": shutil.which("curl"), "grpcurl": shutil.which("grpcurl"), ".venv/bin/orderctl": sys.executable}


def commands() -> Iterator[str]:
    """One at a time, with the lines that go on after it."""
    section = (ROOT / "README.md").read_text().split("## Place an order")[1].split("\n## ")[0]
    for block in BLOCK.findall(section):
        yield from re.split(r"\n(?=\S)", block.strip())


def here(command: str, stack: Stack) -> str:
    """The same command for a stack that is not at its usual ports."""
    for port, name in (("8080", "rest"), ("50051", "orders")):
        command = command.replace(f"localhost:{port}", stack.place.address(name))
    command = command.replace("month.csv", MONTH).replace("c-17", CUSTOMER)
    return command.replace(".venv/bin/", f"{Path(sys.executable).parent}/")


@pytest.fixture(scope="module")
def surroundings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """A folder with a month in it whose products are there, and what orderctl needs to find the stack."""
    folder, environment = tmp_path_factory.mktemp("readme"), {**os.environ, **stack.environment}
    orderctl = Path(sys.executable).with_name("orderctl")
    for words in (["sample", MONTH, "--orders", "20"], ["catalogue", "from-orders", MONTH]):
        done = subprocess.run([orderctl, *words], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder, environment


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: re.sub(r"\W+", "-", command[:60]))
def test_a_command_of_the_readme_works(
    command: str, stack: Stack, surroundings: tuple[Path, Mapping[str, str]]
) -> None:
    program = command.split()[0]
    if COMMANDS[program] is None:
        pytest.skip(f"{program} is not on this machine")
    folder, environment = surroundings
    done = subprocess.run(
        ["bash", "-c", here(command, stack)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "error_code" not in done.stdout, done.stdout


@pytest.mark.skipif(COMMANDS["curl"] is None, reason="curl is not on this machine")
def test_the_orders_of_the_readme_are_completed(stack: Stack) -> None:
    def statuses() -> set[str]:
        return {order["status"] for order in Shop(stack).call("GET", f"/orders?customer_id={CUSTOMER}").data}

    assert until(lambda: statuses() == {"COMPLETED"})
