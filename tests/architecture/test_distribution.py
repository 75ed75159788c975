"""What is installed is what is meant: pinned by sums, quick where it must be, and whole in the wheel."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from kafka.record import util

from tests.architecture.sources import PROJECT, SERVICES

LOCKS = {
    "requirements.lock": set(),
    "requirements-build.lock": {"build"},
    "requirements-local.lock": {"local"},
    "requirements-dev.lock": {"local", "dev"},
}
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^]]+\])?==(\S+)", re.MULTILINE)
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((PROJECT / lock).read_text()))


def test_kafka_sums_are_computed_in_c() -> None:
    """In Python they cost 57 µs per record and side, with the package 2."""
    assert util.crc32c_c is not None


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_all_that_its_extras_name(lock: str) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][extra] for extra in LOCKS[lock]]
    wanted = {str(NAME.findall(line)[0]) for lines in [project["dependencies"], *extras] for line in lines}
    assert wanted <= pins(lock).keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_gives_sums_and_no_addresses(lock: str) -> None:
    text = (PROJECT / lock).read_text()
    assert len(re.findall(r"==\S+.*\\\n +--hash=sha256:", text)) == len(pins(lock))
    assert "://" not in text
    assert "--index" not in text.replace("--no-emit-index-url", "")


def test_the_locks_agree() -> None:
    everything = pins("requirements-dev.lock").items()
    assert pins("requirements.lock").items() <= pins("requirements-local.lock").items() <= everything
    assert pins("requirements.lock").items() <= pins("requirements-build.lock").items() <= everything


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    [file] = Path(folder).glob("*.whl")
    return set(ZipFile(file).namelist())


@pytest.mark.parametrize(
    "file",
    [
        "protos/orders/v1/orders_pb2.py",
        "protos/orders/v1/orders_pb2_grpc.py",
        "protos/orders/v1/orders.proto",
        "protos/descriptors.binpb",
        "buf/validate/validate_pb2.py",
        "chassis/migrations/env.py",
        "deploy/local/kafka-jars.lock",
    ],
)
def test_the_wheel_holds_what_runs(wheel: set[str], file: str) -> None:
    assert file in wheel


@pytest.mark.parametrize("package", [*SERVICES, "gateway"])
def test_the_wheel_holds_every_process(wheel: set[str], package: str) -> None:
    assert f"{package}/__main__.py" in wheel


def test_the_wheel_holds_neither_tests_nor_what_builds_it(wheel: set[str]) -> None:
    assert not [name for name in wheel if name.startswith(("tests/", "docs/", "build/", "protos/generate"))]
    assert not [name for name in wheel if name.endswith(".pyc")]
