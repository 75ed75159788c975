"""One supervisor per state folder: a lock that the kernel drops with its holder, so it is never stale."""

import fcntl
import os
from pathlib import Path

from deploy.local.refusals import AlreadyRunning


class SoleOwner:
    """Held as long as a stack of this folder runs."""

    def __init__(self, state: Path) -> None:
        self._file = state / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"A stack runs already on {self._file.parent}: `make status` shows it, `make stop` ends it."
                " Another one beside it needs its own STATE_DIR and PORT_OFFSET."
            ) from None
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
        try:
            self.take()
        except AlreadyRunning:
            return int(self._file.read_text() or 0) or None
        self.release()
        return None
