"""`clean`: removes everything that a stack has stored."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.homes import remove_home
from deploy.local.place import Place
from deploy.local.refusals import CannotStart
from deploy.local.sole_owner import SoleOwner

MARKS = ("passwords.json", "lock", "logs")


def clean(place: Place) -> int:
    """Raises CannotStart for a stack that runs, and for a folder that is not a stack's."""
    if not place.state.exists():
        return 0
    if not any((place.state / mark).exists() for mark in MARKS):
        raise CannotStart(f"{place.state} does not look like the state of a stack; nothing was removed.")
    if SoleOwner(place.state).holder() is not None:
        raise CannotStart(f"A stack runs on {place.state}; `make stop` first.")
    remove(place.state)
    print(f"removed {place.state}")
    return 0


def remove(state: Path) -> None:
    remove_home(state / "postgres")
    shutil.rmtree(state)


@contextmanager
def temporary_state() -> Iterator[Path]:
    """A state folder for tests, which also Postgres' account may enter, gone afterwards."""
    state = Path(tempfile.mkdtemp(prefix="order-system-"))
    state.chmod(0o711)
    try:
        yield state
    finally:
        remove(state)
