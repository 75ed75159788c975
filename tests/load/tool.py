"""k6, the load client: named by K6, or built once for this user by `go install`, and used only with its pinned sum."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from deploy.local.jars import only_one
from deploy.local.place import cache_folder

VERSION: Final = "v1.8.1"
MODULE: Final = "go.k6.io/k6"
SUM: Final = "h1:orZsbZ2Od0CVZICs9YpTgkKcxfPghJW8VZtwg0cj8H8="
"""Of the module's whole source, which names the sums of all that it needs."""
BUILD_SECONDS: Final = 1200.0


class NoLoadClient(Exception):
    """There is no k6 and none can be had; the sentence says why, and what to do."""


def find_k6(
    say: Callable[[str], None], environment: Mapping[str, str] = os.environ, seconds: float = BUILD_SECONDS
) -> Path:
    """The program; builds it when it is asked for first, which takes minutes. Raises NoLoadClient."""
    if named := environment.get("K6"):
        return _given(named)
    cache = cache_folder(environment)
    built = cache / f"k6-{VERSION}" / "k6"
    if not built.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with only_one(cache / "k6.lock"):
            if not built.exists():
                _build(built, say, environment, seconds)
    return built


def _given(named: str) -> Path:
    found = shutil.which(named)
    if found is None:
        raise NoLoadClient(f"K6={named}: there is no such program")
    return Path(found)


def _build(target: Path, say: Callable[[str], None], environment: Mapping[str, str], seconds: float) -> None:
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise NoLoadClient(
            "k6 is built by Go, and there is no `go` on the PATH: install Go 1.24 or newer (Debian: golang-go),"
            " or name a k6 of your own: K6=/path/to/k6"
        )
    draft = target.parent.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    say(f"building k6 {VERSION} by `go install`, once for this user ({target.parent}); it takes minutes")
    _install(go, draft, environment, seconds)
    _require_sum(go, draft / "k6")
    shutil.rmtree(target.parent, ignore_errors=True)
    draft.rename(target.parent)


def _install(go: str, folder: Path, environment: Mapping[str, str], seconds: float) -> None:
    command = [go, "install", f"{MODULE}@{VERSION}"]
    try:
        done = subprocess.run(
            command, env={**environment, "GOBIN": str(folder)}, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise NoLoadClient(
            f"`{' '.join(command[1:])}` was not done after {seconds:g} s; the next one goes on"
        ) from None
    if done.returncode != 0:
        raise NoLoadClient(f"`go {' '.join(command[1:])}` failed: {done.stderr.strip()[-500:]}")


def _require_sum(go: str, program: Path) -> None:
    """What was built is told by the program itself."""
    told = subprocess.run([go, "version", "-m", str(program)], capture_output=True, text=True, check=True).stdout
    if not any(line.split() == ["mod", MODULE, VERSION, SUM] for line in told.splitlines()):
        raise NoLoadClient(
            f"what `go install` brought as {MODULE} {VERSION} has another sum than {SUM}; it is not used"
        )
