"""The only place that asks what time it is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring durations."""
    return time.monotonic()


class Pace:
    """Keeps rounds at least `seconds` apart, so that a steady trickle is worked off in batches instead of singly.

    What comes alone after a pause goes at once. `wait(seconds)` is how to pass the time.
    """

    def __init__(self, seconds: float, wait: Callable[[float], object]) -> None:
        self._seconds = seconds
        self._wait = wait
        self._begun_at = -seconds

    def begin(self) -> None:
        """Return when the next round may begin."""
        left = self._begun_at + self._seconds - monotonic()
        if left > 0:
            self._wait(left)
        self._begun_at = monotonic()


def unix_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
