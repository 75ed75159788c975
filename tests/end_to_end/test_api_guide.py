"""What the API guide and the quickstart tell a reader to type does what they say, from first command to last."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.local import Stack
from tests.end_to_end.grpcurl import main as grpcurl
from tests.end_to_end.shop import Shop

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PORTS = {"8080": "rest", "50051": "orders", "50052": "inventory", "50053": "suppliers", "50054": "payments"}


def blocks(kind: str, page: str = "api.md") -> list[str]:
    return [block for found, block in BLOCK.findall((ROOT / "docs" / page).read_text()) if found == kind]


def script(stack: Stack, commands: Sequence[str]) -> str:
    """All commands in one shell, for a stack that is not at its usual ports; grpcurl is played where it is absent."""
    text = "\n".join(commands)
    for port, name in PORTS.items():
        text = text.replace(f"localhost:{port}", stack.place.address(name))
    text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    text = text.replace("month.csv", "guide-month.csv")
    play = f'grpcurl() {{ (cd {ROOT} && {sys.executable} -m tests.end_to_end.grpcurl "$@"); }}\n'
    return f"set -euo pipefail\n{play if shutil.which('grpcurl') is None else ''}{text}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_every_command_of_the_guide_works(stack: Stack, tmp_path: Path) -> None:
    environment = os.environ | stack.environment

    done = subprocess.run(
        ["bash", "-c", script(stack, blocks("sh"))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error_code" not in done.stdout, done.stdout
    assert "304\n" in done.stdout, "the order had not changed"
    assert "orders.v1.OrderService" in done.stdout, "reflection lists it"
    assert '"status": "SERVING"' in done.stdout
    assert len((tmp_path / "orders.csv").read_text().splitlines()) >= 2
    assert (tmp_path / "rejects.csv").read_text().startswith("line,")


def test_every_command_of_the_quickstart_works(stack: Stack, tmp_path: Path) -> None:
    start, *others = blocks("sh", "quickstart.md")

    done = subprocess.run(
        ["bash", "-c", script(stack, others)],
        cwd=tmp_path, env=os.environ | stack.environment, capture_output=True, text=True, timeout=150,
    )  # fmt: skip

    assert start == "make start\n"
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.count("OrderCompleted") == 2
    assert "Not enough stock of QUICK-1." in done.stderr


def test_the_python_of_the_guide_works(stack: Stack) -> None:
    [program] = blocks("python")
    program = program.replace("GUIDE-1", Shop(stack).stock("guide", 10))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=os.environ | stack.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2, done.stdout


def test_a_refusal_of_grpc_is_one_for_the_shell_too(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    address = stack.place.address("orders")

    assert grpcurl(["-plaintext", "-d", '{"order_id": "none"}', address, "orders.v1.OrderService/GetOrder"]) == 64 + 3
    assert "INVALID_ARGUMENT" in capsys.readouterr().err
