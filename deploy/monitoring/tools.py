"""Prometheus and promtool: those of the machine, or Debian's package unpacked into the cache, where nobody needs root.

Debian signs what it gives out, and apt checks it: the version is that of the machine's release.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from deploy.local.place import cache_folder

NAMES: Final = ("promtool", "prometheus")
PACKAGE: Final = "prometheus"
MISSING: Final = "promtool is not on this machine: on Debian `python -m deploy.monitoring tools` brings it"
_SECONDS: Final = 300.0


class NotToBeHad(Exception):
    """The package could not be had; the message says why."""


def found(name: str) -> Path | None:
    """The program on the PATH, else in the cache."""
    if on_path := shutil.which(name):
        return Path(on_path)
    cached = _home() / "usr" / "bin" / name
    return cached if cached.exists() else None


def fetch(say: Callable[[str], None]) -> None:
    """Makes sure that both are there. Raises NotToBeHad."""
    if all(found(name) for name in NAMES):
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise NotToBeHad("only Debian's package is known here; install prometheus and promtool by other means")
    say(f"fetching Debian's package {PACKAGE} …")
    _home().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_home().parent) as draft:
        package = _downloaded(Path(draft))
        _run(["dpkg-deb", "-x", str(package), f"{draft}/whole"], draft)
        shutil.rmtree(_home(), ignore_errors=True)
        Path(draft, "whole").rename(_home())


def _downloaded(folder: Path) -> Path:
    """A machine that has just been set up has no lists of packages yet; only root may fetch them."""
    try:
        _run(["apt-get", "download", PACKAGE], str(folder))
    except NotToBeHad:
        _run(["apt-get", "update"], str(folder))
        _run(["apt-get", "download", PACKAGE], str(folder))
    return next(folder.glob("*.deb"))


def _run(command: Sequence[str], folder: str) -> None:
    told = f"`{' '.join(command)}`"
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"{told} takes too long") from None
    if done.returncode != 0:
        raise NotToBeHad(f"{told} says: {done.stderr.strip() or done.stdout.strip()}")


def _home() -> Path:
    return cache_folder() / PACKAGE
