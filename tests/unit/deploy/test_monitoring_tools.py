"""promtool is found where it is, and where it cannot be had that is said."""

from pathlib import Path

import pytest

from deploy.monitoring import tools
from deploy.monitoring.__main__ import main


def place(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_that_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert tools.found("promtool") is None

    cached = place(tmp_path / "cache/order-system/prometheus/usr/bin", "promtool")
    assert tools.found("promtool") == cached

    assert place(tmp_path / "bin", "promtool") == tools.found("promtool")


def test_without_apt_it_says_so_and_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["tools"]) == 0
    assert "tests that need them are skipped: only Debian's package is known here" in capsys.readouterr().out


def test_what_apt_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    place(tmp_path / "bin", "apt-get").write_text("#!/bin/sh\necho 'no network' >&2\nexit 100\n")
    (tmp_path / "bin" / "dpkg-deb").symlink_to("apt-get")
    assert main(["tools"]) == 0
    assert "`apt-get update` says: no network" in capsys.readouterr().out


def test_another_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tool"]) == 2
    assert "not 'tool'" in capsys.readouterr().err
