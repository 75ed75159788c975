"""What each scenario must have shown: bars, met or missed, judged by what users were told and what the books say."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tests.load.answers import Answer, Answers, percentile
from tests.load.watch import Sample, Weight

USERS_AT_ONCE: Final = 50
FLAT: Final = 0.10
SETTLING_SECONDS: Final = 300.0
_MINUTE: Final = 60.0
_LITTLE: Final = {"resident_mb": 2.0, "descriptors": 2.0, "threads": 2.0}
"""What a tenth may be less than: a process of six threads is as flat as it was when there are seven."""

_CEILINGS: Final = {("postgres", "descriptors"): 3000.0}
"""They come and go for a long time, within a bound: each of Postgres' sessions opens each file when it first
needs it, and keeps it open until it is told that the file is gone."""


@dataclass(frozen=True)
class Bar:
    """One thing that must hold."""

    what: str
    found: str
    wanted: str
    is_met: bool


@dataclass(frozen=True)
class Found:
    """All that a scenario has left behind."""

    answers: Answers
    samples: Sequence[Sample]
    ends: Mapping[tuple[str, str], int]
    """Orders in the books by last status and failure."""
    shelf: Mapping[str, tuple[int, int]]
    """On hand and reserved of the scenario's own products."""
    unfinished: int
    broken: Sequence[str]
    thresholds_met: bool = True
    """Those that stand in the script itself."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is told beside the bars."""


Judge = Callable[[Found], list[Bar]]


def last_piece(found: Found) -> list[Bar]:
    """Each round's piece has one buyer, and everybody else is told so."""
    one_of_them = Counter({201: 1, 409: USERS_AT_ONCE - 1})
    left = {sku: shelf for sku, shelf in found.shelf.items() if shelf != (0, 0)}
    return [
        _rounds(found, one_of_them, "1 × 201, 49 × 409"),
        Bar("nothing is left, held or oversold", f"{len(left)} products", "0", bool(found.shelf) and not left),
    ]


def same_key(found: Found) -> list[Bar]:
    """Each round's requests make one order, and all are told of the same."""
    ids = [found.answers.ids.get(one, set()) for one in found.answers.by_round("place")]
    whole = sum(len(told) == 1 and "" not in told for told in ids)
    return [
        _rounds(found, Counter({201: 1, 200: USERS_AT_ONCE - 1}), "1 × 201, 49 × 200"),
        Bar("rounds in which all are told one order id", f"{whole} of {len(ids)}", "all", whole == len(ids) > 0),
    ]


def _rounds(found: Found, wanted: Counter[int], words: str) -> Bar:
    rounds = found.answers.by_round("place")
    as_wanted = sum(statuses == wanted for statuses in rounds.values())
    others = {str(dict(statuses)) for statuses in rounds.values() if statuses != wanted}
    told = f"{as_wanted} of {len(rounds)}{''.join(f'; else {other}' for other in sorted(others)[:3])}"
    return Bar(f"rounds with {words}", told, "all", as_wanted == len(rounds) > 0)


def ramp(found: Found) -> list[Bar]:
    """As quick as asked, and as quick as we want it on two cores."""
    statuses = found.answers.statuses("place")
    share = statuses[201] / max(1, statuses.total())
    return [
        *quickness(found.answers.named("place"), 500, 1000),
        Bar("orders answered with 201", f"{share:.2%}", "> 80 %", share > 0.80),
        *quickness(found.answers.named("place"), 50, 150),
        _no_errors(found, {201}),
    ]


def day(found: Found) -> list[Bar]:
    """Nobody is turned away but from what is sold out."""
    rounds = found.answers.by_round("place")
    refused = rounds.get("usual", Counter())[409]
    return [
        *quickness(found.answers.named("place"), 500, 1000),
        _no_errors(found, {201, 409}),
        Bar("orders refused without anything on sale", f"{refused}", "0", refused == 0),
        Bar("orders that came too soon for k6", f"{found.answers.dropped}", "0", found.answers.dropped == 0),
    ]


def soak(found: Found) -> list[Bar]:
    """As quick at the end as anywhere, and no process grows."""
    return [
        *quickness(found.answers.named("place"), 500, 1000),
        _no_errors(found, {201}),
        Bar("orders that came too soon for k6", f"{found.answers.dropped}", "0", found.answers.dropped == 0),
        *flatness(found.samples),
    ]


def quickness(answers: Sequence[Answer], p95: float, p99: float) -> list[Bar]:
    """Of all answers to orders, in milliseconds."""
    times = [answer.ms for answer in answers]
    found = [("p95", percentile(times, 0.95), p95), ("p99", percentile(times, 0.99), p99)]
    return [
        Bar(f"{name} of placing, ms", f"{value:.1f}", f"<= {most:g}", bool(times) and value <= most)
        for name, value, most in found
    ]


def _no_errors(found: Found, wanted: set[int]) -> Bar:
    """A look or a cancel may meet an order that has moved on; 0 is no answer at all."""
    others = Counter(
        f"{answer.name} {answer.status}"
        for answer in found.answers.answers
        if answer.status not in (wanted if answer.name == "place" else {200, 201, 202, 409, 422})
    )
    told = ", ".join(f"{number} × {what}" for what, number in others.most_common(4)) or "0"
    return Bar("other answers", told, "0", bool(found.answers.answers) and not others)


def flatness(samples: Sequence[Sample]) -> list[Bar]:
    """After the settling, no minute's median is more than a tenth off the first minute's."""
    names = samples[-1].weights.keys() if samples else []
    return [_flat(samples, name, what) for what in _LITTLE for name in names] or [
        Bar("memory, descriptors, threads", "nobody looked", f"± {FLAT:.0%}", is_met=False)
    ]


def settling(samples: Sequence[Sample]) -> float:
    """Five minutes, or a third of a short watch."""
    return min(SETTLING_SECONDS, samples[-1].at / 3)


def _flat(samples: Sequence[Sample], name: str, what: str) -> Bar:
    minutes = _by_minute(samples, lambda weight: float(getattr(weight, what)), name)
    first, *later = minutes or [0.0]
    words = f"{first:,.0f}, then {min(later, default=first):,.0f} to {max(later, default=first):,.0f}"
    if ceiling := _CEILINGS.get((name, what)):
        return Bar(f"{_WORDS[what]} of {name}", words, f"<= {ceiling:,.0f}", 0 < max(minutes, default=0.0) <= ceiling)
    most = max(FLAT * first, _LITTLE[what])
    is_flat = bool(later) and all(abs(value - first) <= most for value in later)
    return Bar(f"{_WORDS[what]} of {name}", words, f"± {FLAT:.0%}", is_flat)


_WORDS: Final = {"resident_mb": "resident MB", "descriptors": "descriptors", "threads": "threads"}


def _by_minute(samples: Sequence[Sample], read: Callable[[Weight], float], name: str) -> list[float]:
    """Medians, because a process that vacuums comes and goes; of whole minutes, for at the end the clients leave."""
    begin = settling(samples)
    long = min(_MINUTE, max(1.0, (samples[-1].at - begin) / 5))
    minutes: dict[int, list[float]] = {}
    for sample in samples:
        if sample.at >= begin and name in sample.weights:
            minutes.setdefault(int((sample.at - begin) / long), []).append(read(sample.weights[name]))
    whole = max(map(len, minutes.values()), default=0) / 2
    return [median(values) for _, values in sorted(minutes.items()) if len(values) > whole]


def books(found: Found) -> list[Bar]:
    """Of every scenario: all has ended, all adds up, and what was promised is there."""
    promised = _promised(found.answers)
    held = sum(orders for (_, failure), orders in found.ends.items() if failure != "insufficient_stock")
    return [
        Bar("orders that have not ended", f"{found.unfinished}", "0", found.unfinished == 0),
        Bar("orders in the books / promised to users", f"{held:,} / {promised:,}", "equal", held == promised > 0),
        Bar("invariants broken", ", ".join(found.broken) or "0", "0", not found.broken),
        Bar("thresholds of the script", "met" if found.thresholds_met else "crossed", "met", found.thresholds_met),
    ]


def _promised(answers: Answers) -> int:
    return sum(answer.name == "place" and answer.status in (201, 202) for answer in answers.answers)
