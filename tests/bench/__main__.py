"""`python -m tests.bench`: the floor and the system, measured beside each other in one run on one machine."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.local.stack import Stack
from tests.bench import access, growth, live, outage, reading, reports, table, tracing, unhappy, waiting, wrk
from tests.bench.floor import Floor, FloorRun
from tests.bench.month import Month, import_month
from tests.bench.several import Several
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread

ASYNC = "respond-async"
ON_ONE_STACK = ("month", "idle", "steady", "reading", "saturation")
"""Parts that share a stack, in this order."""
ALONE = ("access", "reports", "tracing", "live", "unhappy", "waiting", "outage", "several", "growth")
"""Parts that have stacks of their own, for their own settings."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="interleaved runs of floor and system (default 5)")
    parser.add_argument("--seconds", type=float, default=8, help="seconds under load of each run (default 8)")
    parser.add_argument("--idle-seconds", type=float, default=30, help="seconds to watch the idle stack (default 30)")
    parser.add_argument("--json", type=Path, default=Path(".local/bench.json"), help="where the figures are written")
    parser.add_argument(
        "--waiting-orders", type=int, default=100_000, help="orders that wait beside others (default 100,000)"
    )
    parser.add_argument("--outage-seconds", type=float, default=60, help="how long Kafka is away (default 60)")
    parser.add_argument("--outage-rate", type=float, default=500, help="orders/s meanwhile (default 500)")
    parser.add_argument(
        "--only",
        choices=[*ON_ONE_STACK, *ALONE],
        help="one part of it; all take 35 minutes",
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Bench:
    """Measures what was asked for, and keeps it."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._folder = folder
        self._lines = [f"{table.machine()}; load by {'wrk' if wrk.is_there() else 'the built-in generator'}"]
        self._figures: dict[str, Any] = {"machine": self._lines[0]}

    def run(self) -> None:
        """All parts, or the one that was named."""
        if self._asked.only in (None, *ON_ONE_STACK):
            with self._stack("usual") as stack:
                usual = Usual(stack, self._asked)
                for name in ON_ONE_STACK:
                    if self._asked.only in (None, name):
                        self._keep(usual.measure(name))
        parts = {
            "access": self._access,
            "reports": self._reports,
            "tracing": self._tracing,
            "live": self._live,
            "unhappy": self._unhappy,
            "waiting": self._waiting,
            "outage": self._outage,
            "several": self._several,
            "growth": self._growth,
        }
        for name, part in parts.items():
            if self._asked.only in (None, name):
                self._keep(part())
        _say(f"written: {self._asked.json}")

    def _keep(self, part: Part) -> None:
        """Print it and write down what there is by now: the next part may take long."""
        self._lines += part.lines
        self._figures |= part.figures
        print("\n".join(self._lines), flush=True)
        self._lines = []
        self._asked.json.parent.mkdir(parents=True, exist_ok=True)
        self._asked.json.write_text(json.dumps(self._figures, indent=1))

    def _stack(self, name: str, environment: Mapping[str, str] | None = None) -> Stack:
        state = self._folder / name
        # Postgres may run as another user than we do, who must be able to enter.
        state.mkdir(mode=0o755)
        return Stack(state, None, environment, say=_say)

    def _access(self) -> Part:
        with self._stack("open") as alone, self._stack("closed", access.SETTINGS) as guarded:
            return access.measure(stocked(alone), stocked(guarded), self._asked.pairs, self._asked.seconds, _say)

    def _reports(self) -> Part:
        with self._stack("counting") as counting, self._stack("uncounted") as without:
            return reports.measure(stocked(counting), stocked(without), self._asked.pairs, self._asked.seconds, _say)

    def _tracing(self) -> Part:
        with tracing.Sink() as sink:
            with self._stack("untraced") as plain, self._stack("traced", sink.settings) as traced:
                part = tracing.measure(stocked(plain), stocked(traced), self._asked.pairs, self._asked.seconds, _say)
            return tracing.with_spans(part, sink.counts())

    def _live(self) -> Part:
        with self._stack("live") as stack:
            return live.measure(stocked(stack), 2 * self._asked.seconds, _say)

    def _unhappy(self) -> Part:
        with self._stack("unhappy", unhappy.SETTINGS) as stack:
            return unhappy.measure(stocked(stack), self._asked.pairs, unhappy.LENGTH * self._asked.seconds, _say)

    def _waiting(self) -> Part:
        asked = self._asked
        with self._stack("ended", waiting.SETTINGS) as alone, self._stack("waiting", waiting.SETTINGS) as beside:
            return waiting.measure(
                stocked(beside), stocked(alone), asked.waiting_orders, asked.pairs, asked.seconds, asked.idle_seconds,
                _say,
            )  # fmt: skip

    def _several(self) -> Part:
        with self._stack("several") as stack:
            return Several(stack, stocked(stack), self._asked.seconds, self._asked.pairs, _say).measure()

    def _growth(self) -> Part:
        with self._stack("growth") as stack:
            return growth.measure(stocked(stack), stack.place.state, self._asked.seconds, _say)

    def _outage(self) -> Part:
        with self._stack("outage") as stack:
            return outage.measure(stocked(stack), stack, self._asked.outage_rate, self._asked.outage_seconds, _say)


def stocked(stack: Stack) -> System:
    """A system with the benchmark's products on its shelves."""
    _say("stocking up")
    system = System(stack)
    system.stock_up()
    return system


class Usual:
    """The parts that are measured on a stack as it is started."""

    def __init__(self, stack: Stack, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._stack = stack
        self._system = stocked(stack)
        self._lines: list[str] = []
        self._figures: dict[str, Any] = {}

    def measure(self, name: str) -> Part:
        """One of the parts."""
        parts: dict[str, Callable[[], None]] = {
            "month": self._month, "idle": self._idle, "steady": self._steady, "reading": self._reading,
            "saturation": self._saturation,
        }  # fmt: skip
        self._lines, self._figures = [], {}
        parts[name]()
        return Part(self._lines, self._figures)

    def _saturation(self) -> None:
        floor = Floor(self._stack.infrastructure.database_url, self._stack.pids["postgres"])
        floors: list[FloorRun] = []
        runs: list[Run] = []
        waiting: list[Run] = []
        self._system.saturate(2, ASYNC)
        for number in range(self._asked.pairs):
            _say(f"pair {number + 1} of {self._asked.pairs}: floor, system (respond-async), system (default wait)")
            floors.append(floor.run(self._asked.seconds / 2))
            settled(1)
            runs.append(self._system.saturate(self._asked.seconds, ASYNC))
            settled(1)
            waiting.append(self._system.saturate(self._asked.seconds, ""))
            settled(1)
        self._tell_saturation(floors, runs, waiting)

    def _tell_saturation(self, floors: list[FloorRun], runs: list[Run], waiting: list[Run]) -> None:
        shares = [run.per_second / floor.per_second for run, floor in zip(runs, floors, strict=True)]
        costs = [run.cpu_per_order / floor.cpu_per_order for run, floor in zip(runs, floors, strict=True)]
        waits = [wait.per_second / run.per_second for wait, run in zip(waiting, runs, strict=True)]
        self._lines += [
            "", "At saturation: 64 connections, 3 lines an order, 200 SKUs, until COMPLETED; median (from-to)",
            row("floor: orders/s", spread([each.per_second for each in floors])),
            row("floor: CPU per order, us", spread([each.cpu_per_order for each in floors])),
            row("system, respond-async: completed orders/s", spread([each.per_second for each in runs])),
            row("  share of the floor", spread(shares, 2), ">= 0.20, aim 0.40"),
            row("  CPU per order, us", spread([each.cpu_per_order for each in runs])),
            row("  times the floor's", spread(costs, 1), "<= 6, aim 3"),
            *table.cpu_rows(runs),
            row("    load client (not counted)", f"{runs[0].client_cpu:,.0f} us"),
            row("  REST p50 / p99, ms", table.p50_p99(runs)),
            row("  placed to completed p50, ms", spread([each.completed_p50 for each in runs])),
            row("  placed to completed p99, ms", spread([each.completed_p99 for each in runs])),
            row("system, default wait: completed orders/s", spread([each.per_second for each in waiting])),
            row("  share of respond-async", spread(waits, 2), ">= 0.60"),
            row("  201 p50 / p99, ms", table.p50_p99(waiting)),
        ]  # fmt: skip
        memory = self._system.memory()
        self._lines += ["", "Resident memory after it", *table.rows_of_mapping(memory, "MB", 0)]
        self._figures |= {
            "floor": [vars(each) for each in floors], "respond_async": table.as_json(runs),
            "default_wait": table.as_json(waiting), "resident_mb": memory,
        }  # fmt: skip

    def _steady(self) -> None:
        # A broker and an interpreter that have just started are not what anybody's orders meet.
        self._system.saturate(3, ASYNC)
        quick: list[Run] = []
        patient: list[Run] = []
        for number in range(self._asked.pairs):
            _say(f"300 orders/s, {number + 1} of {self._asked.pairs}: respond-async, then with the default wait")
            settled(1)
            quick.append(self._system.steady(self._asked.seconds, ASYNC))
            settled(1)
            patient.append(self._system.steady(self._asked.seconds, ""))
        completed = [run.completed_p50 for run in quick]
        self._lines += [
            "", "At 300 orders/s, on a system that is warm; median (from-to)",
            row("respond-async: REST p50, ms", spread([run.rest_p50 for run in quick], 1)),
            row("respond-async: REST p99, ms", spread([run.rest_p99 for run in quick], 1), "<= 25"),
            row("default wait: 201 p50, ms", spread([run.rest_p50 for run in patient], 1), "<= 60"),
            row("default wait: 201 p99, ms", spread([run.rest_p99 for run in patient], 1)),
            row("placed to completed p50, ms", spread(completed, 1), "<= 100"),
            row("placed to completed p99, ms", spread([run.completed_p99 for run in quick], 1)),
            row("CPU per order, us", spread([run.cpu_per_order for run in quick])),
        ]  # fmt: skip
        self._figures |= {"steady_async": table.as_json(quick), "steady_wait": table.as_json(patient)}

    def _reading(self) -> None:
        # Orders of its own, where no other part has placed any.
        self._system.saturate(2, ASYNC)
        settled(1)
        port = 8080 + self._stack.place.port_offset
        found = reading.measure(port, self._asked.pairs, self._asked.seconds / 2, _say)
        self._lines += found.lines
        self._figures |= found.figures

    def _idle(self) -> None:
        # Before the load: after it, Postgres is not idle for minutes, but vacuums a hundred thousand orders' rows.
        _say(f"idle for {self._asked.idle_seconds:g} s")
        settled(5)
        idle = self._system.idle(self._asked.idle_seconds)
        self._lines += [
            "", row("Idle: whole stack, % of one core", f"{sum(idle.values()):.1f}", "<= 10"),
            *table.rows_of_mapping(idle, "%", 2),
        ]  # fmt: skip
        self._figures |= {"idle_percent": idle}

    def _month(self) -> None:
        _say("a month of 1,400 orders")
        month: Month = import_month(self._stack)
        self._lines += ["", row("A month of 1,400 orders, imported to terminal, s", f"{month.seconds:.1f}", "<= 10"),
                        f"  {month.last_line}"]  # fmt: skip
        self._figures |= {"month": vars(month)}


def main() -> int:
    """Start stacks of our own, measure, stop them."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        # Postgres may run as another user than we do, who must be able to enter.
        Path(folder).chmod(0o755)
        Bench(Path(folder), asked).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
