"""The served OpenAPI document held against the running system by schemathesis: no 500, every answer as documented.

Requests that fit the document, requests that do not, and sequences of them, all checks on, the same ones at every run.
`python -m tests.end_to_end.test_conformance URL [arguments]` asks a system that is up, by other seeds if you like.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local import Stack, temporary_state
from tests.end_to_end.closed import Closed

HERE = Path(__file__).resolve().parent
ROLES = ("customer", "service", "operator")
EXAMPLES = 4
SECONDS = 170
"""The bound of one run, on however slow a machine; one takes 15 to 50 s."""


@pytest.fixture(scope="module")
def closed() -> Iterator[Closed]:
    with temporary_state() as state, Stack(state, environment={"AUTH": "on"}) as stack:
        system = Closed(stack)
        yield system
        system.close()


def schemathesis(base: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """One run; streams without an end are left to the tests of the live face."""
    root = HERE.parents[1]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.end_to_end.checks", "PYTHONPATH": str(root)}
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{base}/openapi.json", "--checks", "all", "--no-color", "--generation-database", "none",
        "--request-timeout", "40", "--exclude-path-regex", "/events$", *arguments,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=SECONDS)


def base_of(stack: Stack) -> str:
    return f"http://127.0.0.1:{8080 + stack.place.port_offset}"


def test_an_open_system_answers_as_its_document_says(stack: Stack) -> None:
    done = schemathesis(base_of(stack), ["--seed", "1", "--max-examples", str(EXAMPLES)])

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_a_closed_system_answers_every_caller_as_its_document_says(closed: Closed, role: str) -> None:
    token = f"Authorization:{closed.bearer(role, 'anna')}"

    done = schemathesis(base_of(closed.stack), ["--seed", "1", "--max-examples", str(EXAMPLES), "--header", token])

    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    asked = schemathesis(sys.argv[1], sys.argv[2:])
    print(asked.stdout, asked.stderr)
    sys.exit(asked.returncode)
