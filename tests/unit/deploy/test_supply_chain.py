"""What is said to be in the image is what is in it, and an audit of less than everything is no clean one."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.place import PROJECT

LOCK = PROJECT / "requirements.lock"
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^]]+\])?==([^ ]+)(.*)$", re.MULTILINE)


def verb(name: str) -> str:
    """What the Makefile does for a verb."""
    text = (PROJECT / "Makefile").read_text()
    return text[text.index(f"\n{name}:") :].split("\n\n")[0]


def listed(lock: Path, target: Path) -> Mapping[str, str]:
    """The versions that the list names, by package."""
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    subprocess.run([*command, "--spec-version", "1.6", "--output-file", str(target), str(lock)], check=True)
    document = json.loads(target.read_text())
    assert all(reference["hashes"] for part in document["components"] for reference in part["externalReferences"])
    return {part["name"]: part["version"] for part in document["components"]}


def test_the_list_names_every_package_of_the_image_with_its_sums(tmp_path: Path) -> None:
    pins = {name: version for name, version, _ in PIN.findall(LOCK.read_text())}

    assert listed(LOCK, tmp_path / "sbom.json") == pins


@pytest.mark.parametrize("name", ["sbom", "audit"])
def test_what_is_listed_and_audited_is_what_the_image_is_made_of(name: str) -> None:
    installs = [line for line in (PROJECT / "deploy/images/Dockerfile").read_text().splitlines() if "/opt/" in line]

    assert any(LOCK.name in line.split() for line in installs)
    assert LOCK.name in verb(name).split()


def test_an_audit_that_could_not_ask_about_a_package_fails() -> None:
    assert "--strict" in verb("audit").split()
    assert "exit 1" in verb("audit")
