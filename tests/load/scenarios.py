"""What is run: each scenario's script, what it is told, how long it takes, and how it is judged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.load import bars
from tests.load.bars import Judge

SOAK: Final = "soak"
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_ROUND_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Scenario:
    """One script under `scripts/`; `shelf` is what the SKUs of its own products begin with."""

    name: str
    title: str
    seconds: float
    """About how long it takes."""
    judge: Judge
    settings: Mapping[str, str] = field(default_factory=dict)
    shelf: str = ""


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def last_piece(rounds: int = 10) -> Scenario:
    return Scenario(
        "last_piece", "50 buyers for the last piece", _ROUND_SECONDS * (rounds + 1), bars.last_piece,
        {"ROUNDS": str(rounds)}, "LAST",
    )  # fmt: skip


def same_key(rounds: int = 10) -> Scenario:
    return Scenario(
        "same_key", "50 equal requests at once", _ROUND_SECONDS * (rounds + 1), bars.same_key,
        {"ROUNDS": str(rounds)}, "SAME",
    )  # fmt: skip


def ramp(seconds: float = 150) -> Scenario:
    title = f"0 to 50 users over {_span(seconds)}"
    return Scenario("ramp", title, seconds, bars.ramp, {"SECONDS": f"{seconds:g}"})


def day(hour_seconds: float = 10) -> Scenario:
    title = f"a day with a sale at noon, in {_span(24 * hour_seconds)}"
    return Scenario("day", title, 24 * hour_seconds, bars.day, {"HOUR_SECONDS": f"{hour_seconds:g}"}, "SALE")


def soak(seconds: float, rate: int) -> Scenario:
    title = f"{_span(seconds)} at half load, {rate} orders/s"
    return Scenario(SOAK, title, seconds, bars.soak, {"SECONDS": f"{seconds:g}", "RATE": str(rate)})


SHORT: Final[Mapping[str, Scenario]] = {each.name: each for each in (last_piece(), same_key(), ramp(), day())}
"""All but the soak, whose rate is not known before."""
NAMES: Final = (*SHORT, SOAK)


def seconds_of(duration: str) -> float:
    """`15m`, `90s`, `1h30m`. Raises ValueError with a sentence."""
    found = _DURATION.fullmatch(duration)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ValueError(f"DURATION is {duration!r}: it must be a time such as 15m, 90s or 1h30m")
    return float(total)
