"""One supervisor per state folder: a lock that the kernel drops with its holder, so it is never stale."""

import fcntl
import os
from functools import partial
from pathlib import Path

from deploy.local.refusals import AlreadyRunning
from deploy.local.waiting import wait_until

LOOK_SECONDS = 0.3  # somebody who only asks who holds it may be in the way that long


class SoleOwner:
    """Held as long as a stack of this folder runs."""

    def __init__(self, state: Path) -> None:
        self._file = state / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises AlreadyRunning when another holds it."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        if not wait_until(partial(gets_lock, descriptor, fcntl.LOCK_EX), LOOK_SECONDS):
            os.close(descriptor)
            raise AlreadyRunning(
                f"A stack runs already on {self._file.parent}: `make status` shows it, `make stop` ends it."
                " Another one beside it needs its own STATE_DIR and PORT_OFFSET."
            )
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that runs a stack here."""
        if not self._file.exists():
            return None
        with self._file.open() as lock:
            return None if gets_lock(lock.fileno(), fcntl.LOCK_SH) else int(lock.read() or 0) or None


def gets_lock(descriptor: int, kind: int) -> bool:
    """Whether this lock could be had; it is held until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
