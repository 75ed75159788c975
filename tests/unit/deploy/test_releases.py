"""A version is the same wherever it is named, and each release that there was has its section in the changelog."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
NAMED: Final = {
    "deploy/images/Dockerfile": r"^ARG VERSION=(.+)$",
    "deploy/compose.yaml": r"order-system:\$\{VERSION:-(.+)\}$",
    "deploy/compose/env.example": r"^#VERSION=(.+)$",
    "deploy/kubernetes/components/release/kustomization.yaml": r"newTag: (.+)$",
    "docs/images.md": r"--tag order-system:(\S+)",
    "docs/deployment.md": r"order-system:(\d[^ `]*)",
}
_ROW: Final = re.compile(r"^\| (\d\S*) \| (\S+) \|", re.MULTILINE)
_HEADING: Final = re.compile(r"^## (\S+)(?: \((\S+)\))?$", re.MULTILINE)


def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


@pytest.mark.parametrize("file", NAMED)
def test_a_file_names_the_version_of_the_project(file: str) -> None:
    found = re.findall(NAMED[file], (ROOT / file).read_text(), re.MULTILINE)
    assert set(found) == {version()}


def test_the_changelog_has_a_section_for_each_release_and_one_for_what_comes() -> None:
    releases = _ROW.findall((ROOT / "docs" / "releases.md").read_text())
    headings = _HEADING.findall((ROOT / "CHANGELOG.md").read_text())
    ahead = [] if releases[0][0] == version() else [version()]
    assert [name for name, _ in headings if name not in ahead] == ["Unreleased", *(name for name, _ in releases)]
    assert dict(releases).items() <= dict(headings).items()
