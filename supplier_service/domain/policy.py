"""How long and how often a supplier is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from supplier_service.domain.answers import Question

_LONGEST_CHECK: Final = 3_600.0
_LONGEST_RETRY: Final = 300.0


class Next(NamedTuple):
    """What is asked next, and in how many seconds."""

    question: Question
    after: float


@dataclass(frozen=True, slots=True)
class Policy:
    """`check`: the pause before the first check, doubled after each; `max_delayed`: delayed answers that are borne;
    `deadline`: the age at which a supplier order that has no end yet is given one."""

    check: timedelta
    max_delayed: int
    deadline: timedelta

    def pause_after_checks(self, checks: int) -> float:
        """Seconds until the next check, after so many that were answered."""
        longest = max(_LONGEST_CHECK, self.check.total_seconds())
        return float(min(self.check.total_seconds() * 2 ** min(checks, 20), longest))

    def pause_after_failures(self, failures: int) -> float:
        """Seconds until the same question, after it failed so many times in a row."""
        return float(min(0.5 * 2 ** min(failures, 20), _LONGEST_RETRY))

    def until_deadline(self, pause: float, created_at: datetime, at: datetime) -> float:
        """The pause, but no longer than to the deadline: the last question comes then, and not an hour later."""
        left = (created_at + self.deadline - at).total_seconds()
        return min(pause, left) if left > 0 else pause
