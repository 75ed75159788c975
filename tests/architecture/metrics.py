"""What is measured, read from the code: the table of docs/metrics.md, and what is wrong with a name.

`python -m tests.architecture.metrics` writes the table anew. The rules are those of
https://prometheus.io/docs/practices/naming/ and of promtool's lint, and some of our own.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.architecture.sources import PROJECT, Source, sources

PAGE: Final = PROJECT / "docs" / "metrics.md"
CONTEXTS: Final[Mapping[str, str]] = {
    "order_service": "orders", "inventory_service": "inventory", "payment_service": "payments",
    "supplier_service": "suppliers", "gateway": "gateway",
}  # fmt: skip
SERVICES: Final = ("orders", "inventory", "payments", "suppliers")
EVERYBODY: Final = (*SERVICES, "gateway")
TOLD_BY: Final[Mapping[str, Sequence[str]]] = {
    "lock_attempts": ("inventory",),
    "calls_in_flight": ("payments", "suppliers"),
    "calls_answered": ("payments", "suppliers"),
    "calls_batch_outcomes": ("payments", "suppliers"),
    "rate_limited_requests": EVERYBODY,
    "rate_limit_refusals": EVERYBODY,
    "outside_breaker_open": ("payments", "suppliers"),
    "outside_requests": ("payments", "suppliers"),
    "spans": EVERYBODY,
    "spans_waiting": EVERYBODY,
}
"""Which processes tell what the chassis measures, where that is not every service."""
ONLY_WHEN: Final[Mapping[str, str]] = {
    "rate_limited_requests": "with limits", "rate_limit_refusals": "with limits",
    "outside_breaker_open": "with `SIMULATORS=http` or a party of your own",
    "outside_requests": "with `SIMULATORS=http` or a party of your own",
    "spans": "with `OTLP_ENDPOINT`", "spans_waiting": "with `OTLP_ENDPOINT`",
}  # fmt: skip

_WHO: Final = {SERVICES: "every service", EVERYBODY: "every process"}
_MAKERS: Final = frozenset({"counter", "gauge", "histogram"})
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RESERVED: Final = ("_total", "_count", "_sum", "_bucket", "_info", "_created")
_UNITS: Final = ("seconds", "bytes")
_OTHER_UNITS: Final = frozenset(
    "ms milliseconds us microseconds ns nanoseconds sec secs minutes minute hours days kb mb kilobytes megabytes "
    "percent pct".split()
)
_TIMES: Final = ("Time ", "Age ", "When ")
_UNBOUNDED: Final = frozenset("customer customer_id order order_id sku id key path url trace_id".split())
_HEAD: Final = """# Metrics

Every process answers `GET /metrics` on a port of its own (9100 gateway, 9101 orders, 9102 inventory, 9103 suppliers,
9104 payments). `python -m tests.architecture.metrics` writes this page from the code, and a test holds it to that;
another one compares it with what the processes tell. Names follow
[Prometheus' conventions](https://prometheus.io/docs/practices/naming/): the context first, base units last, `_total`
for what only grows. A histogram has `_bucket`, `_sum` and `_count`. What a figure means when something is wrong is in
the [runbook](runbook.md).
"""


@dataclass(frozen=True)
class Metric:
    """One metric as it is declared; `context` is empty where it has that of the process."""

    at: str
    context: str
    kind: str
    name: str
    meaning: str
    labels: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """As it is scraped."""
        name = f"{self.context or '<context>'}_{self.name}"
        return f"{name.removesuffix('_total')}_total" if self.kind == "counter" else name

    @property
    def unit(self) -> str:
        """What its numbers count."""
        last = self.name.rpartition("_")[2]
        if self.name.endswith("timestamp_seconds"):
            return "s since 1970"
        if self.meaning.startswith("Whether "):
            return "0 or 1"
        if last in _UNITS:
            return {"seconds": "s", "bytes": "bytes"}[last]
        return last if self.kind == "histogram" or last == "pieces" else "number"

    @property
    def tellers(self) -> Sequence[str]:
        """The contexts whose processes tell it."""
        return (self.context,) if self.context else TOLD_BY.get(self.name, SERVICES)


def declared(files: Iterable[Source] | None = None) -> list[Metric]:
    """All metrics of the project's code, in order of contexts and names."""
    found = (sources("chassis", *CONTEXTS)) if files is None else files
    metrics = [metric for source in found for metric in _declared_in(source)]
    return sorted(metrics, key=lambda metric: (metric.context, metric.name))


def _declared_in(source: Source) -> Iterator[Metric]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
            yield _read(source, node, node.func.id)


def _read(source: Source, call: ast.Call, kind: str) -> Metric:
    context = CONTEXTS.get(source.package, "")
    name, meaning, *labels = (_text(argument) for argument in call.args[1:])
    return Metric(source.at(call), context, kind, name, meaning, tuple(labels))


def _text(argument: ast.expr) -> str:
    """What is written there; empty where it is not written out."""
    is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    return str(argument.value) if is_text else ""  # type: ignore[attr-defined]


def complaints(metric: Metric) -> Iterator[str]:
    """A sentence for each rule that a metric breaks."""
    for sentence in (*_of_name(metric), *_of_unit(metric), *_of_words(metric)):
        yield f"{metric.at}: {metric.full_name} {sentence}"


def _of_name(metric: Metric) -> Iterator[str]:
    if not _NAME.fullmatch(metric.name):
        yield "is not snake_case, or not written out"
    if metric.kind != "counter" and metric.name.endswith(_RESERVED):
        yield "ends as only a counter or a part of a histogram does"
    if metric.kind in metric.name.split("_"):
        yield "repeats its type"


def _of_unit(metric: Metric) -> Iterator[str]:
    words = metric.name.removesuffix("_total").split("_")
    if others := _OTHER_UNITS.intersection(words):
        yield f"has a unit that is not a base unit: {', '.join(sorted(others))}"
    if any(unit in words[:-1] for unit in _UNITS):
        yield "has its unit in the middle"
    if metric.meaning.startswith(_TIMES) and words[-1] != "seconds":
        yield "is a time, and does not say seconds"
    if metric.kind == "histogram" and not words[-1].endswith("s"):
        yield "does not say what it counts"
    if metric.kind == "histogram" and words[-1] == "seconds" and words[-2:-1] != ["duration"]:
        yield "is a distribution of times, and not called duration"


def _of_words(metric: Metric) -> Iterator[str]:
    if not metric.meaning[:1].isupper() or metric.meaning.endswith("."):
        yield "needs a meaning: a phrase with a capital, without a full stop"
    for label in metric.labels:
        if not _NAME.fullmatch(label) or label in ("le", "quantile"):
            yield f"has a label that is not snake_case, or reserved: {label}"
        if label in _UNBOUNDED:
            yield f"has a label without bounds: {label}"


def contradictions(metrics: Iterable[Metric]) -> Iterator[str]:
    """A sentence for each metric that is declared twice, and not the same."""
    seen: dict[str, Metric] = {}
    for metric in metrics:
        first = seen.setdefault(metric.full_name, metric)
        if (first.kind, first.labels, first.meaning) != (metric.kind, metric.labels, metric.meaning):
            yield f"{metric.at}: {metric.full_name} is another one at {first.at}"


def page(metrics: Sequence[Metric]) -> str:
    """docs/metrics.md."""
    unique = list({metric.full_name: metric for metric in metrics}.values())
    parts = [_HEAD]
    for context in ("", *EVERYBODY):
        title = f"## {context}" if context else "## Of every service, each under its own `<context>`"
        rows = [_row(metric) for metric in unique if metric.context == context]
        parts.append("\n".join([title, "", *_columns(context), *rows, ""]))
    return "\n".join(parts)


def _columns(context: str) -> tuple[str, str]:
    heads = ("name", "type", "labels", "unit", "meaning", *(() if context else ("told by",)))
    return f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = [f"`{metric.full_name}`", metric.kind, labels, metric.unit, metric.meaning]
    if not metric.context:
        when = ONLY_WHEN.get(metric.name)
        who = _WHO.get(tuple(metric.tellers), ", ".join(metric.tellers))
        cells.append(f"{who}, {when}" if when else who)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(declared()))
