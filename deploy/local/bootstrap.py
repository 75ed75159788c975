"""Makes `.venv` from nothing but Python: `python3 deploy/local/bootstrap.py local|dev`.

Run by whatever `python3` the machine has, so it uses the standard library alone, and an old interpreter must at
least be able to read it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".stamps"
OLDEST = (3, 11)


def main(extra: str) -> None:
    """`dev` holds everything that `local` does, so whoever has the one needs not install the other."""
    if sys.version_info < OLDEST:
        version = ".".join(str(part) for part in sys.version_info[:3])
        sys.exit(f"This needs Python 3.11 or newer, and {sys.executable} is {version}: make run PYTHON=python3.12")
    with (PROJECT / "pyproject.toml").open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        make_environment()
        if not is_current("dev") and not (extra == "local" and is_current("local")):
            install_locked(extra)
        if not is_stamped("project", project_files()):
            install_project()
    generate_protos()
    if extra == "dev":
        run([str(PYTHON), "-m", "deploy.monitoring", "tools"], "promtool could not be looked for.")


def make_environment() -> None:
    """Also makes it anew when its interpreter is gone or too old, as after an upgrade of the machine."""
    if PYTHON.exists() and succeeds(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        return
    with announced("making .venv"):
        run(
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            "`python3 -m venv` does not work here. On Debian and Ubuntu: apt install python3-venv",
        )


def install_locked(extra: str) -> None:
    lock = lock_of(extra)
    with announced(f"installing the packages of {lock.name}"):
        if not succeeds(PYTHON, "-m", "pip", "--version"):
            run([str(PYTHON), "-m", "ensurepip", "--upgrade"], "pip cannot be installed into .venv.")
        pip("--require-hashes", "-r", str(lock))
    stamp(extra, [lock])


def install_project() -> None:
    with announced("installing the project itself"):
        pip("--no-deps", "--no-build-isolation", "--editable", str(PROJECT))
    stamp("project", project_files())


def pip(*arguments: str) -> None:
    run(
        [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *arguments],
        "pip could not install it; its reason stands above. The first time needs a connection to a package index.",
    )


def generate_protos() -> None:
    run([str(PYTHON), "-m", "protos.generate"], "The protos could not be compiled; the reason stands above.")


def lock_of(extra: str) -> Path:
    return PROJECT / f"requirements-{extra}.lock"


def project_files() -> Sequence[Path]:
    return [PROJECT / "pyproject.toml"]


def is_current(extra: str) -> bool:
    return is_stamped(extra, [lock_of(extra)])


def is_stamped(name: str, files: Iterable[Path]) -> bool:
    file = STAMPS / name
    return file.exists() and file.read_text() == sum_of(files)


def stamp(name: str, files: Iterable[Path]) -> None:
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / name).write_text(sum_of(files))


def sum_of(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def succeeds(*command: object) -> bool:
    silent = subprocess.DEVNULL
    return subprocess.call([str(word) for word in command], stdout=silent, stderr=silent) == 0


def run(command: Sequence[str], otherwise: str) -> None:
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if subprocess.call(command, cwd=str(PROJECT), env=environment) != 0:
        sys.exit(otherwise)


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Says what takes a while, and how long it took."""
    begun = time.monotonic()
    print(f"  {what} …", flush=True)
    yield
    print(f"  {what}: {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit("interrupted; the next start goes on from here")
