"""What a run has found: a table to read, a page with charts that needs nothing else, and JSON to keep."""

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from chassis import clock
from tests.bench import table
from tests.load.answers import Answer, percentile
from tests.load.bars import Bar
from tests.load.chart import Chart, Points
from tests.load.run import Outcome
from tests.load.watch import Sample

NOISY: Final = 0.2
"""Of one core, that others took in the mean: more is told beside the figures."""
_POINTS: Final = 75
_STYLE: Final = """
body { font: 15px/1.45 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 } td, th { text-align: left; padding: .2rem .8rem .2rem 0;
border-bottom: 1px solid #ddd; vertical-align: top } .missed { color: #c00; font-weight: bold } .met { color: #070 }
svg { max-width: 100%; height: auto; margin: .5rem 0 } .noise { color: #a50 }
"""


def told(outcome: Outcome) -> list[str]:
    """The rows of one scenario in the table that is printed."""
    return [
        "", f"{outcome.scenario.name}: {outcome.scenario.title}; {noise(outcome.found.samples)}",
        *(table.row(name, figure) for name, figure in figures(outcome).items()),
        *(table.row(bar.what, bar.found, f"{bar.wanted}, {verdict(bar)}") for bar in outcome.bars),
    ]  # fmt: skip


def verdict(bar: Bar) -> str:
    return "met" if bar.is_met else "MISSED"


def noise(samples: Sequence[Sample]) -> str:
    """How much of the machine others had meanwhile: such figures say more about them than about us."""
    share = strangers(samples)
    words = f"others took {share:.0%} of a core"
    return f"UNDER OTHER LOAD: {words}" if share > NOISY else words


def strangers(samples: Sequence[Sample]) -> float:
    """Cores that processes which are not ours used, in the mean."""
    return samples[-1].strangers_cpu / samples[-1].at if samples and samples[-1].at else 0.0


def figures(outcome: Outcome) -> Mapping[str, str]:
    """What is told without a bar."""
    found = outcome.found
    placed = found.answers.named("place")
    times = [answer.ms for answer in placed]
    seconds = (placed[-1].at - placed[0].at) / 1000 if len(placed) > 1 else 0.0
    statuses = ", ".join(f"{number:,} × {status}" for status, number in found.answers.statuses("place").most_common())
    ends = ", ".join(f"{number:,} {' '.join(end).strip()}" for end, number in sorted(found.ends.items()))
    return {
        "orders placed": statuses or "none",
        "orders/s in the mean": f"{len(placed) / seconds:,.1f}" if seconds else "-",
        "p50 / p95 / p99 / most, ms": " / ".join(f"{percentile(times, share):,.0f}" for share in (0.5, 0.95, 0.99, 1)),
        "how they ended": ends or "-",
        **found.facts,
    }


def write(outcomes: Sequence[Outcome], folder: Path) -> None:
    """`report.html`, `report.json`, and each chart as a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {outcome.scenario.name: charts(outcome) for outcome in outcomes}
    for name, of_one in drawn.items():
        for what, chart in of_one.items():
            (folder / f"{name}-{what}.svg").write_text(chart.svg() + "\n")
    (folder / "report.html").write_text(page(outcomes, drawn))
    found = {"machine": table.machine(), "at": clock.now().isoformat(), "scenarios": [*map(as_json, outcomes)]}
    (folder / "report.json").write_text(json.dumps(found, indent=1))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All but the single answers."""
    return {
        "name": outcome.scenario.name,
        "title": outcome.scenario.title,
        "is_met": outcome.is_met,
        "settings": dict(outcome.scenario.settings),
        "strangers_cores": round(strangers(outcome.found.samples), 3),
        "figures": figures(outcome),
        "bars": [vars(bar) for bar in outcome.bars],
        "broken": list(outcome.found.broken),
        "lines": {what: chart.lines for what, chart in charts(outcome).items()},
    }


def page(outcomes: Sequence[Outcome], drawn: Mapping[str, Mapping[str, Chart]]) -> str:
    """Everything on one page."""
    missed = sum(not bar.is_met for outcome in outcomes for bar in outcome.bars)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Load tests</title>',
            f"<style>{_STYLE}</style><h1>Load tests</h1>",
            f"<p>{escape(table.machine())}; {clock.now():%Y-%m-%d %H:%M} UTC.",
            f"<b>{f'Bars missed: {missed}' if missed else 'All bars met'}.</b></p>",
            *(_section(outcome, drawn[outcome.scenario.name]) for outcome in outcomes),
            "</html>\n",
        ]
    )


def _section(outcome: Outcome, drawn: Mapping[str, Chart]) -> str:
    facts = "".join(f"<tr><td>{escape(name)}<td colspan=3>{escape(value)}" for name, value in figures(outcome).items())
    bars = "".join(
        f"<tr><td>{escape(bar.what)}<td>{escape(bar.found)}<td>{escape(bar.wanted)}"
        f'<td class="{verdict(bar).lower()}">{verdict(bar)}'
        for bar in outcome.bars
    )
    return (
        f"<h2>{escape(outcome.scenario.title)}</h2>"
        f'<p class="{"noise" if strangers(outcome.found.samples) > NOISY else ""}">'
        f"{escape(noise(outcome.found.samples))}</p>"
        f"<table>{facts}<tr><th>bar<th>found<th>wanted<th>{bars}</table>"
        + "".join(chart.svg() for chart in drawn.values())
    )


def charts(outcome: Outcome) -> Mapping[str, Chart]:
    """What there is to see of a scenario."""
    found = outcome.found
    placed = found.answers.named("place")
    if not placed:
        return {}
    if outcome.scenario.name in ("last_piece", "same_key"):
        return {"rounds": _rounds(outcome.scenario.title, placed)}
    begin = placed[0].at
    width = max(1.0, outcome.scenario.seconds / _POINTS)
    drawn = {
        "latency": Chart("Placing an order", "ms", _latencies(placed, begin, width), {"50 ms": 50.0, "500 ms": 500.0}),
        "answers": Chart("Answers to orders", "per second", _rates(placed, begin, width)),
        "cpu": Chart("CPU", "% of one core", _cpu(found.samples, width)),
        "memory": _weights("Resident memory", "MB", found.samples, lambda sample, of: sample.weights[of].resident_mb),
    }
    if outcome.scenario.name == "soak":
        drawn |= {
            "descriptors": _weights("Descriptors", "", found.samples, lambda it, of: it.weights[of].descriptors),
            "threads": _weights("Threads", "", found.samples, lambda it, of: it.weights[of].threads),
        }
    return drawn


def _rounds(title: str, placed: Sequence[Answer]) -> Chart:
    rounds: dict[int, list[float]] = {}
    for answer in placed:
        rounds.setdefault(int(answer.of), []).append(answer.ms)
    ordered = sorted(rounds.items())
    lines = {
        "quickest answer": [(float(number), min(times)) for number, times in ordered],
        "median": [(float(number), percentile(times, 0.5)) for number, times in ordered],
        "slowest answer": [(float(number), max(times)) for number, times in ordered],
    }
    return Chart(f"{title}: how long they waited", "ms", lines, x_unit="round")


def _latencies(placed: Sequence[Answer], begin: int, width: float) -> Mapping[str, Points]:
    spans = _spans(placed, begin, width)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        name: [(at, percentile([answer.ms for answer in span], share)) for at, span in spans]
        for name, share in shares.items()
    }


def _rates(placed: Sequence[Answer], begin: int, width: float) -> Mapping[str, Points]:
    spans = _spans(placed, begin, width)
    return {
        str(status or "none"): [(at, sum(answer.status == status for answer in span) / width) for at, span in spans]
        for status in sorted({answer.status for answer in placed})
    }


def _spans(placed: Sequence[Answer], begin: int, width: float) -> list[tuple[float, list[Answer]]]:
    spans: dict[int, list[Answer]] = {}
    for answer in placed:
        spans.setdefault(int((answer.at - begin) / 1000 / width), []).append(answer)
    return [((number + 0.5) * width, span) for number, span in sorted(spans.items()) if number >= 0]


def _cpu(samples: Sequence[Sample], width: float) -> Mapping[str, Points]:
    thinned = _thinned(samples, width)
    pairs = list(pairwise(thinned))
    lines: dict[str, Points] = {
        name: [(b.at, 100 * (b.cpu[name] - a.cpu.get(name, 0.0)) / (b.at - a.at)) for a, b in pairs]
        for name in (samples[-1].cpu if samples else ())
    }
    others = [(b.at, 100 * max(0.0, b.strangers_cpu - a.strangers_cpu) / (b.at - a.at)) for a, b in pairs]
    return {**lines, "others": others}


def _weights(title: str, unit: str, samples: Sequence[Sample], read: Callable[[Sample, str], float]) -> Chart:
    thinned = _thinned(samples, samples[-1].at / _POINTS if samples else 1.0)
    names = samples[-1].weights if samples else {}
    return Chart(
        title, unit, {name: [(it.at, read(it, name)) for it in thinned if name in it.weights] for name in names}
    )


def _thinned(samples: Sequence[Sample], width: float) -> list[Sample]:
    kept: list[Sample] = []
    for sample in samples:
        if not kept or sample.at - kept[-1].at >= width:
            kept.append(sample)
    return kept
