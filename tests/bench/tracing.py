"""What it costs to trace: the same load on a system without telemetry and on one that traces some of its requests."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from tests.bench import table
from tests.bench.system import Run, System, settled
from tests.bench.table import Part, row, spread

RATIO: Final = "0.01"
LEAST: Final = 0.90
_WARM_SECONDS: Final = 3.0


class Sink:
    """A collector in a process of its own, on the same machine as all the rest, that counts what it is sent."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "tests.collector", str(port)]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._url = self._child.stdout.readline().strip() if self._child.stdout else ""

    @property
    def settings(self) -> Mapping[str, str]:
        """Of a system that traces."""
        return {"OTLP_ENDPOINT": self._url, "TRACES_SAMPLE_RATIO": RATIO}

    def counts(self) -> dict[str, int]:
        """How many spans each service sent; ends the process."""
        self._child.send_signal(signal.SIGTERM)
        told, _ = self._child.communicate(timeout=60)
        return {service: int(spans) for service, spans in (line.split() for line in told.splitlines())}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.kill()
        self._child.wait()


def measure(plain: System, traced: System, pairs: int, seconds: float, say: Callable[[str], None]) -> Part:
    """Load one after the other, in turns."""
    runs: dict[System, list[Run]] = {plain: [], traced: []}
    for system in runs:
        system.saturate(_WARM_SECONDS, "respond-async")
    for number in range(pairs):
        say(f"pair {number + 1} of {pairs}: without telemetry, with it")
        for system in (plain, traced) if number % 2 == 0 else (traced, plain):
            settled(1)
            runs[system].append(system.saturate(seconds, "respond-async"))
    return _part(runs[plain], runs[traced])


def with_spans(part: Part, counts: Mapping[str, int]) -> Part:
    """What was measured, with what arrived meanwhile."""
    told = ", ".join(f"{service} {spans:,}" for service, spans in counts.items())
    return Part([*part.lines, row("spans that arrived", told)], {**part.figures, "spans": dict(counts)})


def _part(off: list[Run], on: list[Run]) -> Part:
    shares = [traced.per_second / plain.per_second for plain, traced in zip(off, on, strict=True)]
    costs = [traced.cpu_per_order / plain.cpu_per_order for plain, traced in zip(off, on, strict=True)]
    lines = [
        "", f"Traces at saturation, TRACES_SAMPLE_RATIO={RATIO}; the collector runs on the same machine",
        row("off: completed orders/s", spread([run.per_second for run in off])),
        row("on: completed orders/s", spread([run.per_second for run in on])),
        row("  share of the one without", spread(shares, 2), table.at_least(shares, LEAST)),
        row("off: CPU per order, us", spread([run.cpu_per_order for run in off])),
        row("on: CPU per order, us", spread([run.cpu_per_order for run in on])),
        row("  times the one without", spread(costs, 2)),
        row("on: REST p50 / p99, ms", table.p50_p99(on)),
    ]  # fmt: skip
    return Part(lines, {"tracing_off": table.as_json(off), "tracing_on": table.as_json(on)})
