"""What the README tells a reader to type does what it says there, in one shell, from its first command to its last."""

import os
import re
import shutil
import subprocess
import sys
import uuid
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


def commands() -> str:
    """All that a reader types between placing and letting others in; what goes on until Ctrl-C, beside the rest."""
    text = (ROOT / "README.md").read_text().split("## Place an order")[1].split("\n## Let others in")[0]
    blocks = BLOCK.findall(text)
    watching = [block for block in blocks if block.startswith("curl -N")]
    assert len(watching) == 1
    others = "".join(block for block in blocks if block not in watching)
    return f"({watching[0].strip()} > watched.txt) & WATCH=$!\ntrap 'kill $WATCH' EXIT\n{others}"


def script(stack: Stack) -> str:
    """The same for a stack that is not at its usual ports; grpcurl is played where it is absent."""
    text = commands()
    for port, name in (("8080", "rest"), ("50051", "orders")):
        text = text.replace(f"localhost:{port}", stack.place.address(name))
    text = text.replace("month.csv", MONTH).replace("c-17", CUSTOMER)
    text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    play = f'grpcurl() {{ (cd {ROOT} && {sys.executable} -m tests.end_to_end.grpcurl "$@"); }}\n'
    return f"set -euo pipefail\n{play if shutil.which('grpcurl') is None else ''}{text}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_every_command_of_the_readme_works(stack: Stack, tmp_path: Path) -> None:
    environment = os.environ | stack.environment

    done = subprocess.run(
        ["bash", "-c", script(stack)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error_code" not in done.stdout, done.stdout
    assert "event: OrderCompleted" in (tmp_path / "watched.txt").read_text()
    assert until(lambda: statuses(stack) == {"COMPLETED": 3, "CANCELLED": 1}), statuses(stack)


def statuses(stack: Stack) -> dict[str, int]:
    """How many orders of the reader are in which status."""
    orders = Shop(stack).call("GET", f"/orders?customer_id={CUSTOMER}").data
    found = [order["status"] for order in orders]
    return {status: found.count(status) for status in found}
