"""What rules and dashboards name is what the processes of the real system tell."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.local import Stack
from deploy.monitoring import tools
from deploy.monitoring.boards.drawing import drawn
from deploy.monitoring.boards.pages import BOARDS
from tests.architecture.metrics import EVERYBODY, ONLY_WHEN, declared
from tests.end_to_end.promql import Known, as_scraped, complaints, recorded, scraped
from tests.end_to_end.shop import Shop
from tests.end_to_end.test_metrics import scraped as page_of

RULES: Final = Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "rules"
LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count")}


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str, str]]:
    """Where it stands, the expression, and the legend of each line of each dashboard, as Grafana reads them."""
    for board in BOARDS:
        for panel in json.loads(drawn(board))["panels"]:
            for target in panel["targets"]:
                yield f"{board.title}: {panel['title']}", target["expr"], target["legendFormat"]


def declarations() -> dict[str, frozenset[str]]:
    """The labels that the code declares, by the names of a scrape."""
    return {
        f"{metric.full_name.replace('<context>', context)}{suffix}": frozenset(metric.labels)
        | ({"le"} if suffix == "_bucket" else set())
        for metric in declared()
        for context in metric.tellers
        for suffix in SUFFIXES.get(metric.kind, ("",))
    }


@pytest.fixture(scope="module")
def known(stack: Stack) -> Known:
    """Every metric of a real scrape, those that only some settings bring, and what the rules record."""
    shop = Shop(stack)
    shop.place([(shop.stock("monitoring", 5), 1)])
    told, seldom_told = declarations(), seldom_names()
    seldom = {name: as_scraped(labels) for name, labels in told.items() if name.partition("_")[2] in seldom_told}
    found = {"up": frozenset[str](), **seldom}
    for context in EVERYBODY:
        found |= scraped(page_of(stack, context), told)
    return found | {rule["record"]: recorded(rule) for rule in rules("recording.yml")}


def seldom_names() -> set[str]:
    return {metric.full_name.partition("_")[2] for metric in declared() if metric.name in ONLY_WHEN}


def test_rules_name_what_there_is(known: Known) -> None:
    wrong = [
        f"{rule.get('alert') or rule['record']}: {complaint}"
        for name in ("recording.yml", "alerts.yml")
        for rule in rules(name)
        for complaint in complaints(rule["expr"], known)
    ]
    assert not wrong, "\n".join(wrong)


def test_dashboards_name_what_there_is(known: Known) -> None:
    wrong = [
        f"{place}: {complaint}" for place, expression, _ in queries() for complaint in complaints(expression, known)
    ]
    assert not wrong, "\n".join(wrong)


def test_legends_name_labels_that_are_left(known: Known) -> None:
    for place, expression, legend in queries():
        if "sum by" in expression or "max by" in expression:
            kept = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
            assert set(LEGEND.findall(legend)) <= kept, place


def test_dashboards_are_valid_expressions(tmp_path: Path) -> None:
    promtool = tools.found("promtool")
    if promtool is None:
        pytest.skip(tools.MISSING)
    told = [
        {"record": f"line:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression, _) in enumerate(queries())
    ]
    file = tmp_path / "lines.yml"
    file.write_text(json.dumps({"groups": [{"name": "lines", "rules": told}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("sum(rate(orders_totals[5m]))", "there is no metric orders_totals"),
        ('orders_stuck{status="PENDING"}', "orders_stuck has no label status"),
        ("sum by (state) (orders_waiting)", "nothing here has a label state"),
        ('max by (job) ({__name__=~"(orders|gateway)_outbox_depth"})', "there is no metric gateway_outbox_depth"),
        ('orders_job_lag_seconds{name="census"}', "orders_job_lag_seconds has no label name"),
        ("orders:stock:max > 0", "there is no metric orders:stock:max"),
        ("rate(gateway_http_request_duration_seconds_bucket[5m]) and on (path) up", "nothing here has a label path"),
    ],
)
def test_a_wrong_name_is_seen(known: Known, expression: str, complaint: str) -> None:
    assert list(complaints(expression, known)) == [complaint]
