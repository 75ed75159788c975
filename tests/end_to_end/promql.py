"""Which metrics and labels an expression of Prometheus names, and whether there are such."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

Known = Mapping[str, frozenset[str]]
"""The labels of each metric by its name in a scrape."""

_TARGET: Final = frozenset({"job", "instance"})
"""What Prometheus adds to every series; our own label `job` becomes `exported_job`."""
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"([a-zA-Z_:][\w:]*)?\{([^}]*)\}")
_MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"')
_NOISE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\boffset\s+\w+|\b\d[\w.]*')
_NAME: Final = re.compile(r"[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])")
_WORDS: Final = frozenset({"and", "or", "unless", "bool"})
_ALTERNATIVES: Final = re.compile(r"\(([\w|]+)\)(\w+)")
_OUTER_BY: Final = re.compile(r"^\W*(?:\w+\([\d.]+,\s*)?\w+ by \(([^)]*)\)", re.DOTALL)
_SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class Named:
    """What an expression names."""

    metrics: Mapping[str, frozenset[str]]
    """With the labels that are asked of each."""
    labels: frozenset[str]
    """Those that it groups and matches by."""


def named(expression: str) -> Named:
    """All metrics and labels of an expression."""
    text = expression.replace("$__rate_interval", "5m")
    grouped = [label.strip() for group in _GROUPING.findall(text) for label in group.split(",")]
    text = _GROUPING.sub(" ", text)
    metrics: dict[str, frozenset[str]] = {}
    for name, matchers in _SELECTOR.findall(text):
        asked = dict(_MATCHER.findall(matchers))
        for each in [name] if name else _spelt_out(asked.pop("__name__")):
            metrics[each] = metrics.get(each, frozenset()) | asked.keys()
    rest = _NOISE.sub(" ", _SELECTOR.sub(" ", text))
    metrics |= {name: metrics.get(name, frozenset()) for name in _NAME.findall(rest) if name not in _WORDS}
    return Named(metrics, frozenset(filter(None, grouped)))


def _spelt_out(pattern: str) -> list[str]:
    """The names that a pattern like (orders|payments)_total stands for."""
    match = _ALTERNATIVES.fullmatch(pattern)
    return [f"{word}_{match[2].removeprefix('_')}" for word in match[1].split("|")] if match else [pattern]


def complaints(expression: str, known: Known) -> Iterator[str]:
    """A sentence for each metric or label that there is not."""
    told = named(expression)
    for metric, labels in told.metrics.items():
        if metric not in known:
            yield f"there is no metric {metric}"
        else:
            yield from (f"{metric} has no label {label}" for label in sorted(labels - known[metric] - _TARGET))
    made = {"context"} if "label_replace(" in expression else set()
    there = set(chain.from_iterable(known.get(metric, ()) for metric in told.metrics)) | _TARGET | made
    yield from (f"nothing here has a label {label}" for label in sorted(told.labels - there))


def scraped(page: str, declared: Known) -> dict[str, frozenset[str]]:
    """What a process tells; the labels of what has not happened yet are those that its declaration names."""
    known: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(page):
        for suffix in _SUFFIXES.get(family.type, ("",)):
            name = f"{family.name}{suffix}"
            seen = frozenset(chain.from_iterable(sample.labels for sample in family.samples if sample.name == name))
            known[name] = as_scraped(seen if family.samples else declared.get(name, frozenset()))
    return known


def as_scraped(labels: frozenset[str]) -> frozenset[str]:
    """As Prometheus keeps them."""
    return frozenset("exported_job" if label == "job" else label for label in labels)


def recorded(rule: Mapping[str, str | Mapping[str, str]]) -> frozenset[str]:
    """The labels of what a rule records."""
    outer = _OUTER_BY.match(str(rule["expr"]))
    grouped = {label.strip() for label in outer[1].split(",")} if outer else set()
    if str(rule["expr"]).startswith("histogram_quantile"):
        found = _GROUPING.search(str(rule["expr"]))
        grouped = {label.strip() for label in found[1].split(",")} - {"le"} if found else set()
    return frozenset(grouped) | frozenset(rule.get("labels", {}))
