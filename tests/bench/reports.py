"""What figures and leaderboards cost those who place orders: the same load with and without them."""

from collections.abc import Callable
from typing import Final

from tests.bench import table
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread
from tests.waiting import until

LEAST: Final = 0.90
_WARM_SECONDS: Final = 3.0
_COUNTED_SECONDS: Final = 60.0
_UNMARKED: Final = (
    "CREATE FUNCTION orders.unmarked() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER unmarked BEFORE INSERT ON orders.report_marks FOR EACH ROW EXECUTE FUNCTION orders.unmarked()",
)
"""No order is marked where it is completed, so nothing is to be counted."""


def measure(counting: System, without: System, pairs: int, seconds: float, say: Callable[[str], None]) -> Part:
    """Load one after the other, in turns; the next begins when all of the last is counted."""
    without.change(_UNMARKED)
    runs: dict[System, list[Run]] = {without: [], counting: []}
    for system in runs:
        system.saturate(_WARM_SECONDS, "respond-async")
    for number in range(pairs):
        say(f"pair {number + 1} of {pairs}: without reports, with them")
        for system in (without, counting) if number % 2 == 0 else (counting, without):
            settled(1)
            runs[system].append(system.saturate(seconds, "respond-async"))
            until(lambda system=system: _marks(system) == 0, seconds=_COUNTED_SECONDS)  # type: ignore[misc]
    return _part(runs[without], runs[counting])


def _marks(system: System) -> int:
    return int(system.rows("SELECT count(*) AS marks FROM orders.report_marks")[0].marks)


def _part(without: list[Run], counting: list[Run]) -> Part:
    shares = [with_.per_second / alone.per_second for alone, with_ in zip(without, counting, strict=True)]
    lines = [
        "", "With figures and leaderboards, at saturation",
        row("without them: completed orders/s", spread([run.per_second for run in without])),
        row("with them: completed orders/s", spread([run.per_second for run in counting])),
        row("  share of those without", spread(shares, 2), table.at_least(shares, LEAST)),
        row("without them: CPU per order, us", spread([run.cpu_per_order for run in without])),
        row("with them: CPU per order, us", spread([run.cpu_per_order for run in counting])),
    ]  # fmt: skip
    return Part(lines, {"reports_off": table.as_json(without), "reports_on": table.as_json(counting)})
