"""What it costs to ask who calls and to count it: the same load on an open system and on a closed one."""

from collections.abc import Callable
from typing import Final

from tests.bench import table
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread

SETTINGS: Final = {"AUTH": "on", "RATE_LIMIT_PER_MINUTE": "1000000"}
"""Of the closed one: everybody is counted, and nobody refused."""
LEAST: Final = 0.75
_WARM_SECONDS: Final = 3.0


def measure(open_one: System, closed: System, pairs: int, seconds: float, say: Callable[[str], None]) -> Part:
    """Load one after the other, in turns; every order comes with the token of its own customer, one of 997."""
    runs: dict[System, list[Run]] = {open_one: [], closed: []}
    for system in runs:
        system.saturate(_WARM_SECONDS, "respond-async")
    for number in range(pairs):
        say(f"pair {number + 1} of {pairs}: open, with access and limits")
        for system in (open_one, closed) if number % 2 == 0 else (closed, open_one):
            settled(1)
            runs[system].append(system.saturate(seconds, "respond-async"))
    return _part(runs[open_one], runs[closed])


def _part(open_runs: list[Run], closed_runs: list[Run]) -> Part:
    shares = [closed.per_second / open_.per_second for open_, closed in zip(open_runs, closed_runs, strict=True)]
    lines = [
        "", "With access and limits, at saturation; 997 customers with a token each",
        f"  with {' '.join(f'{name}={value}' for name, value in SETTINGS.items())}",
        row("open: completed orders/s", spread([run.per_second for run in open_runs])),
        row("closed: completed orders/s", spread([run.per_second for run in closed_runs])),
        row("  share of the open one's", spread(shares, 2), table.at_least(shares, LEAST)),
        row("open: CPU per order, us", spread([run.cpu_per_order for run in open_runs])),
        row("closed: CPU per order, us", spread([run.cpu_per_order for run in closed_runs])),
        *table.cpu_rows(closed_runs),
        row("closed: REST p50 / p99, ms", table.p50_p99(closed_runs)),
    ]  # fmt: skip
    return Part(lines, {"access_off": table.as_json(open_runs), "access_on": table.as_json(closed_runs)})
