"""The figures as a table to read and as JSON to keep."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.system import Run


@dataclass(frozen=True)
class Part:
    """What one part of the benchmark found: lines of the table, and figures to keep."""

    lines: list[str]
    figures: dict[str, Any]


def machine() -> str:
    """What the figures were taken on."""
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}, Python {platform.python_version()}, fsync on"


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and from where to where."""
    if len(values) == 1:
        return f"{values[0]:,.{digits}f}"
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def row(name: str, figure: str, target: str = "") -> str:
    """One line of the table."""
    return f"  {name:<52} {figure:>26}   {target}".rstrip()


def at_least(values: Sequence[float], bar: float, digits: int = 2) -> str:
    """The bar, and whether it is met; it is missed only where all of the interval lies below it."""
    return f">= {bar:.{digits}f}, {_verdict(statistics.median(values) >= bar, max(values) >= bar)}"


def at_most(values: Sequence[float], bar: float, digits: int = 0) -> str:
    """The same of a bar that is not to be exceeded."""
    return f"<= {bar:.{digits}f}, {_verdict(statistics.median(values) <= bar, min(values) <= bar)}"


def _verdict(is_met: bool, is_reached: bool) -> str:
    return "met" if is_met else "at the edge" if is_reached else "MISSED"


def p50_p99(runs: Sequence[Run]) -> str:
    """Of REST answers, in milliseconds."""
    return f"{spread([run.rest_p50 for run in runs])} / {spread([run.rest_p99 for run in runs])}"


def cpu_rows(runs: Sequence[Run]) -> list[str]:
    """CPU per order of each process, medians."""
    names = runs[0].cpu
    return [row(f"    {name}", f"{statistics.median(run.cpu[name] for run in runs):,.0f} us") for name in names]


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Runs as plain objects."""
    return [vars(run) | {"cpu_per_order": run.cpu_per_order} for run in runs]


def rows_of_mapping(figures: Mapping[str, float], unit: str, digits: int) -> list[str]:
    """One line per process, with their sum's place left to the caller."""
    return [row(f"    {name}", f"{value:,.{digits}f} {unit}") for name, value in figures.items()]
