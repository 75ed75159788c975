"""The unhappy mix beside the happy one: declined, unknown, cancelled and backordered orders among the others."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from tests.bench import table
from tests.bench.mix import HAPPY, UNHAPPY
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread

SETTINGS: Final = {
    "PAYMENT_TIMEOUT_SECONDS": "1",
    "PAYMENT_UNKNOWN_SCHEDULE": "1,2,4",
    "PAYMENT_IN_FLIGHT": "256",
    "SUPPLIER_CHECK_SECONDS": "1",
}
"""Of both of a pair: at the usual ten seconds a run would measure how long its last orders wait for nobody."""
LENGTH: Final = 5
"""Its runs are so many times as long as others: each has two or three seconds in which only its last orders wait."""
LEAST: Final = 0.60


def measure(system: System, pairs: int, seconds: float, say: Callable[[str], None]) -> Part:
    """Pairs of runs beside each other, each until every one of its orders has ended."""
    system.saturate(2, "respond-async")
    system.saturate(2, "respond-async", UNHAPPY)
    happy: list[Run] = []
    unhappy: list[Run] = []
    for number in range(pairs):
        say(f"pair {number + 1} of {pairs}: happy, unhappy")
        settled(1)
        happy.append(system.saturate(seconds, "respond-async", HAPPY))
        settled(1)
        unhappy.append(system.saturate(seconds, "respond-async", UNHAPPY))
    return Part(_lines(happy, unhappy), {"beside_unhappy": table.as_json(happy), "unhappy": table.as_json(unhappy)})


def _lines(happy: Sequence[Run], unhappy: Sequence[Run]) -> list[str]:
    shares = [run.per_second / beside.per_second for run, beside in zip(unhappy, happy, strict=True)]
    meanwhile = [run.meanwhile / beside.meanwhile for run, beside in zip(unhappy, happy, strict=True)]
    return [
        "", "At saturation, until all have ended: 10 % declined, 5 % each unknown, cancelled, backorder",
        f"  with {' '.join(f'{name}={value}' for name, value in SETTINGS.items())}",
        row("happy orders/s", spread([run.per_second for run in happy])),
        row("  CPU per order, us", spread([run.cpu_per_order for run in happy])),
        row("unhappy orders/s", spread([run.per_second for run in unhappy])),
        row("  share of the happy ones", spread(shares, 2), table.at_least(shares, LEAST)),
        row("  share, counting what ended while others were placed", spread(meanwhile, 2)),
        row("  CPU per order, us", spread([run.cpu_per_order for run in unhappy])),
        *table.cpu_rows(unhappy),
        row("  REST p50 / p99, ms", table.p50_p99(unhappy)),
        row("  placed to completed p50, ms", spread([run.completed_p50 for run in unhappy])),
        f"  all of them: {_ends(unhappy)}",
    ]  # fmt: skip


def _ends(runs: Sequence[Run]) -> str:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run.ends)
    return ", ".join(f"{number:,} {end}" for end, number in sorted(total.items()))
