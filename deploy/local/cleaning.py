"""`clean`: removes everything that a stack has stored."""

import shutil

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
        raise CannotStart(
            f"{place.state} does not look like the state of a stack; nothing was removed."
        )
    if SoleOwner(place.state).holder() is not None:
        raise CannotStart(f"A stack runs on {place.state}; `make stop` first.")
    remove_home(place.state / "postgres")
    shutil.rmtree(place.state)
    print(f"removed {place.state}")
    return 0
