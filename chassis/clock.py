"""The only place that asks what time it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

_LONGEST_WORK: Final = 0.03
"""Seconds; a round that took longer met a fault or a backlog, and says nothing about the usual."""
_WEIGHT_OF_THE_LAST: Final = 0.3
_ROOM_FOR_EACH: Final = 2.0
"""How many rounds each of the others who share the work is given: its own, and what it costs beside it."""
_MOST_ROOM: Final = 0.1
"""Seconds for all others together, before `rest` multiplies them: they may have cores of their own."""


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring durations."""
    return time.monotonic()


class Pace:
    """Keeps rounds apart, so that a steady trickle is worked off in batches instead of singly.

    They begin at least `seconds` after each other, and at least `rest` times as long as they take: so a stage that
    nobody waits for makes room for the others when the machine is busy. What comes alone after a pause goes at once.
    `wait(seconds)` is how to pass the time, `now()` how to read it; `sharers` says among how many the work is shared
    out, each of whom makes room for the others as well: so their rounds are as large as those of one alone.
    """

    def __init__(
        self,
        seconds: float,
        wait: Callable[[float], object],
        rest: float = 0.0,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._seconds = seconds
        self._wait = wait
        self._rest = rest
        self._now = now
        self._begun_at = -seconds
        self._usual_work = 0.0
        self.sharers = 1.0

    def begin(self, *, at_once: bool = False) -> None:
        """Return when the next round may begin: at once where it is known to be full."""
        apart = 0.0 if at_once else max(self._seconds, self._due_rest())
        left = self._begun_at + apart - self._now()
        if left > 0:
            self._wait(left)
        self._begun_at = self._now()

    def _due_rest(self) -> float:
        """From the beginning of a round to that of the next, for the sake of the others."""
        work = self._usual_work
        return self._rest * (work + min(work * _ROOM_FOR_EACH * (self.sharers - 1.0), _MOST_ROOM))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Around what a round does; waiting for something to do does not count."""
        started = self._now()
        yield
        took = min(self._now() - started, _LONGEST_WORK)
        self._usual_work += (took - self._usual_work) * _WEIGHT_OF_THE_LAST


def unix_ms() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def unix_ns() -> int:
    """Nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()
