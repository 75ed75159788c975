"""What waiting costs: the same load on a system where orders wait, and on one that has seen as many end."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tests.bench import table
from tests.bench.mix import HAPPY, WAITING, Mix
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread
from tests.waiting import until

SETTINGS: Final = {
    "PAYMENT_TIMEOUT_SECONDS": "1",
    "PAYMENT_UNKNOWN_SCHEDULE": "86400",
    "PAYMENT_IN_FLIGHT": "2000",
    "SUPPLIER_CHECK_SECONDS": "86400",
    "SUPPLIER_DEADLINE_SECONDS": "604800",
}
"""Of both systems: so orders come to wait at a thousand a second, and then for longer than the benchmark runs."""
MOST: Final = 1.10
_FILL_SECONDS: Final = 10.0
_SETTLE_SECONDS: Final = 300.0
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

_STANDING: Final = """
SELECT CASE WHEN status = 'AWAITING_RESTOCK' THEN status WHEN payment_status = 'UNKNOWN' THEN payment_status
       ELSE 'OTHER' END AS stands, count(*) AS orders
FROM orders.unfinished JOIN orders.orders ON id = order_id WHERE order_id >= CAST(:since AS uuid) GROUP BY 1
"""
_PLACED: Final = "SELECT count(*) AS orders FROM orders.orders WHERE id >= CAST(:since AS uuid)"
_UNSETTLED: Final = "SELECT count(*) AS orders FROM orders.unfinished WHERE next_ask_at IS NULL"


@dataclass(frozen=True)
class Beside:
    """A run where orders wait, and one where none does."""

    waiting: Run
    ended: Run


def measure(
    waiting: System, ended: System, orders: int, pairs: int, seconds: float, idle_seconds: float,
    say: Callable[[str], None],
) -> Part:  # fmt: skip
    """Have so many orders wait in one system and as many end in the other; then load one after the other."""
    say(f"{orders:,} orders that end")
    _fill(ended, HAPPY, orders)
    say(f"{orders:,} orders that wait")
    _fill(waiting, WAITING, orders)
    standing = _come_to_rest(waiting, ended)
    say(f"both idle for {idle_seconds:g} s")
    settled(5)
    idle = _idle(waiting, ended, idle_seconds)
    runs: list[Beside] = []
    for number in range(pairs):
        say(f"pair {number + 1} of {pairs}: orders beside waiting ones, orders alone")
        runs.append(_pair(waiting, ended, seconds, is_waiting_first=number % 2 == 0))
    return _part(standing, idle, runs)


def _pair(waiting: System, ended: System, seconds: float, is_waiting_first: bool) -> Beside:
    found: dict[System, Run] = {}
    for system in (waiting, ended) if is_waiting_first else (ended, waiting):
        settled(1)
        found[system] = system.saturate(seconds, "respond-async")
    return Beside(found[waiting], found[ended])


def _fill(system: System, mix: Mix, orders: int) -> None:
    """By placing them, as fast as answers come, in pieces, so that what follows does not lag far behind."""
    since, run = system.begin()
    placed = 0
    while placed < orders:
        seconds = min(_FILL_SECONDS, max(1.0, (orders - placed) / 1_000))
        system.place(f"{run}-{placed}", seconds, "respond-async", mix)
        placed = system.rows(_PLACED, since=since)[0].orders
        if not until(lambda: _has_followed(system, mix, since), seconds=_SETTLE_SECONDS, every=0.5):
            raise RuntimeError(f"of {placed} orders some have not come to where they were to stay")


def _has_followed(system: System, mix: Mix, since: str) -> bool:
    """Nothing moves any more."""
    stays = {"AWAITING_RESTOCK", "UNKNOWN"} if mix is WAITING else set()
    return {row.stands for row in system.rows(_STANDING, since=since)} <= stays


def _come_to_rest(waiting: System, ended: System) -> dict[str, int]:
    """Every order has been looked at once since it came to wait, and Postgres has tidied up after the placing."""
    until(lambda: waiting.rows(_UNSETTLED)[0].orders == 0, seconds=_SETTLE_SECONDS, every=1)
    for system in (waiting, ended):
        system.at_rest()
    return {row.stands: row.orders for row in waiting.rows(_STANDING, since=_FIRST)}


def _idle(waiting: System, ended: System, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    with ThreadPoolExecutor(2) as pool:
        beside, alone = pool.map(lambda system: system.idle(seconds), (waiting, ended))
    return beside, alone


def _part(standing: dict[str, int], idle: tuple[dict[str, float], dict[str, float]], runs: Sequence[Beside]) -> Part:
    beside, alone = [each.waiting for each in runs], [each.ended for each in runs]
    ratios = [each.waiting.cpu_per_order / each.ended.cpu_per_order for each in runs]
    waits = ", ".join(f"{number:,} {name}" for name, number in sorted(standing.items()))
    lines = [
        "", f"Beside orders that wait ({waits}), at saturation; alone: beside as many that have ended",
        f"  with {' '.join(f'{name}={value}' for name, value in SETTINGS.items())}",
        row("CPU per order alone, us", spread([run.cpu_per_order for run in alone])),
        row("CPU per order beside waiting ones, us", spread([run.cpu_per_order for run in beside])),
        row("  times that alone", spread(ratios, 3), table.at_most(ratios, MOST, 2)),
        *table.cpu_rows(beside),
        row("orders/s alone", spread([run.per_second for run in alone])),
        row("orders/s beside waiting ones", spread([run.per_second for run in beside])),
        row("idle alone: whole stack, % of one core", f"{sum(idle[1].values()):.1f}"),
        row("idle with waiting ones: whole stack, % of one core", f"{sum(idle[0].values()):.1f}"),
        *table.rows_of_mapping(idle[0], "%", 2),
    ]  # fmt: skip
    return Part(lines, {
        "waiting_standing": standing, "beside_waiting": table.as_json(beside), "beside_ended": table.as_json(alone),
        "idle_percent_waiting": idle[0], "idle_percent_ended": idle[1],
    })  # fmt: skip
