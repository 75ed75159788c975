"""An outage of Kafka under a steady load: every order is taken on, and ends soon after its return."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from chassis import clock
from deploy.local.stack import Stack
from tests.bench import table
from tests.bench.load import Answers
from tests.bench.system import System, settled
from tests.bench.table import Part, row
from tests.waiting import until

MOST_SECONDS: Final = 60.0
_AROUND_SECONDS: Final = 10.0
"""How long orders are placed before the outage, and after it."""
_DRAIN_SECONDS: Final = 600.0

_OPEN: Final = "SELECT count(*) AS orders FROM orders.unfinished WHERE order_id >= CAST(:since AS uuid)"
_ENDED: Final = """
WITH ended AS (
    SELECT status, created_at,
        EXTRACT(epoch FROM COALESCE(completed_at, cancelled_at, updated_at) - :returned_at) AS after
    FROM orders.orders WHERE id >= CAST(:since AS uuid) AND idempotency_key LIKE :run
)
SELECT count(*) AS orders, count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
    count(*) FILTER (WHERE created_at < :returned_at AND after > 0) AS caught, max(after) AS longest,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY after) FILTER (WHERE created_at < :returned_at) AS p99,
    max(after) FILTER (WHERE created_at < :returned_at) AS longest_caught
FROM ended
"""


@dataclass(frozen=True)
class Outage:
    """What became of the orders; seconds from Kafka's return to their ends, p99 and longest of those it held up."""

    per_second: float
    outage_seconds: float
    answers: dict[int, int]
    rest_p99_ms: float
    placed: int
    completed: int
    caught: int
    ended_p99: float
    ended_longest: float
    all_ended: float

    @property
    def lost(self) -> int:
        """Orders that were answered with 202 and did not come to be completed."""
        return sum(number for status, number in self.answers.items() if 200 <= status < 300) - self.completed


def measure(system: System, stack: Stack, per_second: float, seconds: float, say: Callable[[str], None]) -> Part:
    """Place orders before, during and after an outage of so many seconds; wait until all have ended."""
    system.saturate(3, "respond-async")
    settled(2)
    since, run = system.begin()
    all_seconds = seconds + 2 * _AROUND_SECONDS
    say(f"{per_second:g} orders/s, Kafka away for {seconds:g} s")
    with ThreadPoolExecutor(1) as pool:
        placing = pool.submit(system.place_steadily, run, all_seconds, "respond-async", per_second)
        returned_at = _take_kafka_away(stack, seconds)
        say("Kafka is back")
        answers = placing.result()
    until(lambda: system.rows(_OPEN, since=since)[0].orders == 0, seconds=_DRAIN_SECONDS, every=0.5)
    outage = _outage(system, since, run, returned_at, answers, (per_second, seconds))
    return Part(_lines(outage), {"outage": asdict(outage) | {"lost": outage.lost}})


def _take_kafka_away(stack: Stack, seconds: float) -> datetime:
    settled(_AROUND_SECONDS)
    stack.take_down("kafka")
    settled(seconds)
    stack.bring_up("kafka")
    return clock.now()


def _outage(
    system: System, since: str, run: str, returned_at: datetime, answers: Answers, load: tuple[float, float]
) -> Outage:
    found = system.rows(_ENDED, since=since, run=f"{run}%", returned_at=returned_at)[0]
    return Outage(
        per_second=load[0],
        outage_seconds=load[1],
        answers=dict(answers.statuses),
        rest_p99_ms=answers.percentile(0.99),
        placed=found.orders,
        completed=found.completed,
        caught=found.caught,
        ended_p99=float(found.p99),
        ended_longest=float(found.longest_caught),
        all_ended=float(found.longest),
    )


def _lines(outage: Outage) -> list[str]:
    refused = sum(number for status, number in outage.answers.items() if not 200 <= status < 300)
    return [
        "", f"Kafka away for {outage.outage_seconds:g} s, at {outage.per_second:g} orders/s all along",
        row("placed, and answered with 202", f"{outage.placed:,}"),
        row("refused or not answered", f"{refused:,}"),
        row("lost (answered, not completed)", f"{outage.lost:,}", table.at_most([outage.lost], 0)),
        row("REST p99, ms", f"{outage.rest_p99_ms:,.0f}"),
        row("open when Kafka was back", f"{outage.caught:,}"),
        row("  ended after its return, p99, s", f"{outage.ended_p99:.1f}"),
        row("  ended after its return, the last, s", f"{outage.ended_longest:.1f}",
            table.at_most([outage.ended_longest], MOST_SECONDS)),
        row("  with those placed after it, the last, s", f"{outage.all_ended:.1f}"),
    ]  # fmt: skip
