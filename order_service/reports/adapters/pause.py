"""Leaves Redis alone for a moment after it did not answer, so that not every caller waits for that."""

from typing import Final

from chassis import clock
from chassis.logs import get_logger

_SECONDS: Final = 2.0

log = get_logger(__name__)


class Pause:
    """Is on after a failure, and over by itself."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether Redis is not to be asked now."""
        return clock.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        """Redis has not answered."""
        self._until = clock.monotonic() + _SECONDS
        log.warning("reports do without redis, it is away", error=str(error))
