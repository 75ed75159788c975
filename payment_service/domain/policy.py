"""How long and how often the provider is asked."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from payment_service.domain.answers import Question

_ERROR_BACKOFF: Final = 0.2
_NOT_SENT_BACKOFF: Final = 0.5
_LONGEST_BACKOFF: Final = 15.0
DAILY: Final = timedelta(days=1)
"""How often a payment is still asked for once its schedule is over, until an operator settles it."""


class Next(NamedTuple):
    """What is asked next, and in how many seconds."""

    question: Question
    after: float


@dataclass(frozen=True, slots=True)
class Policy:
    """`timeout`: no answer for so long is none; `attempts`: sends that errors may use up; `key_age`: how long the
    provider is sure to remember our key; `unknown_schedule`: when an unknown payment is asked for."""

    timeout: timedelta
    attempts: int
    key_age: timedelta
    unknown_schedule: tuple[timedelta, ...]


def after_errors(errors: int) -> float:
    """Seconds until the next send, after so many error answers."""
    return float(min(_ERROR_BACKOFF * 2 ** (errors - 1), _LONGEST_BACKOFF))


def after_not_sent(times: int) -> float:
    """Seconds until the next send, after it could not be sent so many times in a row."""
    return float(min(_NOT_SENT_BACKOFF * 2 ** min(times - 1, 10), _LONGEST_BACKOFF))
