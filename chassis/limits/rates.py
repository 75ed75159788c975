"""The arithmetic of rate limits: GCRA, the generic cell rate algorithm (ITU-T I.371), as told of throttled requests.

All that is remembered of a caller is how far ahead of the clock their requests have run: each one costs an even share
of the minute, and the debt may come to a whole minute. So a burst of a minute's worth is let through, and what was
used comes back evenly, not at the turn of a minute.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

MINUTE: Final = 60_000_000
"""Microseconds, as are all durations here unless their name says seconds."""


class Rate(NamedTuple):
    """What one kind of callers may do; `name` is told to them, and part of the keys in Redis."""

    name: str
    per_minute: int

    @property
    def interval(self) -> int:
        """What one request costs, in microseconds."""
        return MINUTE // self.per_minute

    @property
    def policy(self) -> str:
        """The rate as `RateLimit-Policy` tells it (draft-ietf-httpapi-ratelimit-headers-10)."""
        return f'"{self.name}";q={self.per_minute};w=60'


class Verdict(NamedTuple):
    """Whether a request may go on; `debt` is what its caller owes after it, in microseconds."""

    rate: Rate
    is_admitted: bool
    debt: int

    @property
    def remaining(self) -> int:
        """Requests that would be admitted at once."""
        return max(0, (MINUTE - self.debt) // self.rate.interval)

    @property
    def retry_seconds(self) -> float:
        """When the next request would be admitted."""
        return max(0, self.debt + self.rate.interval - MINUTE) / 1_000_000

    @property
    def told(self) -> str:
        """`RateLimit`: what is left, and in how many seconds all of it is there again (the same draft)."""
        return f'"{self.rate.name}";r={self.remaining};t={math.ceil(self.debt / 1_000_000)}'


def granted(debt: int, asks: int, interval: int) -> int:
    """How many of so many requests may go on when this much is owed."""
    return max(0, min(asks, (MINUTE - debt) // interval))


def verdicts(rate: Rate, asks: int, admitted: int, debt: int) -> Sequence[Verdict]:
    """One for each of the requests, the first so many admitted; `debt` is what is owed after all of them."""
    costs = ((admitted - 1 - place) * rate.interval for place in range(admitted))
    return [*(Verdict(rate, True, debt - cost) for cost in costs), *[Verdict(rate, False, debt)] * (asks - admitted)]
