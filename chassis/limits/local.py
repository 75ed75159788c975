"""Debts of callers in this process alone: what counts while Redis is away."""

from collections.abc import Callable
from typing import Final

from chassis import clock
from chassis.limits.rates import MINUTE, granted

MOST_CALLERS: Final = 50_000
"""Debts that are remembered; those not used for longest give way (promise P11)."""


def _microseconds() -> int:
    return int(clock.monotonic() * 1_000_000)


class LocalDebts:
    """Used on one event loop."""

    def __init__(self, most: int = MOST_CALLERS, now: Callable[[], int] = _microseconds) -> None:
        self._paid_at: dict[str, int] = {}
        self._most = most
        self._now = now

    def __len__(self) -> int:
        return len(self._paid_at)

    def take(self, key: str, interval: int, asks: int) -> tuple[int, int]:
        """How many of so many requests may go on, and what is owed after them."""
        debt = min(MINUTE, max(0, self._paid_at.get(key, 0) - self._now()))
        admitted = granted(debt, asks, interval)
        debt += admitted * interval
        self.note(key, debt)
        return admitted, debt

    def note(self, key: str, debt: int) -> None:
        """Somebody else has counted: this is what is owed now."""
        self._paid_at.pop(key, None)
        if debt > 0:
            self._paid_at[key] = self._now() + debt
            if len(self._paid_at) > self._most:
                del self._paid_at[next(iter(self._paid_at))]
