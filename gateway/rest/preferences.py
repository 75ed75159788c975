"""`Prefer` (RFC 7240): how long a client is willing to wait."""

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_WAIT_SECONDS = 30

_WAIT = re.compile(r'\bwait\s*=\s*"?(\d{1,9})"?\s*(?=[;,]|$)', re.IGNORECASE)
_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?=[;,]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preference:
    """What was understood of the header, and is told back in `Preference-Applied`."""

    wait_ms: int
    applied: str


@lru_cache(maxsize=256)
def read_preference(header: str) -> Preference | None:
    """The wait that a `Prefer` header asks for; None when it asks for nothing known, which RFC 7240 says to ignore.

    `respond-async, wait=10` means to answer asynchronously only after ten seconds (RFC 7240, section 4.3).
    """
    if match := _WAIT.search(header):
        seconds = min(int(match.group(1)), LONGEST_WAIT_SECONDS)
        return Preference(seconds * 1000, f"wait={seconds}")
    if _ASYNC.search(header):
        return Preference(0, "respond-async")
    return None
