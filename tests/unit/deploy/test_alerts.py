"""Every alert fires when it should and at no other time, as promtool's unit tests see it, and leads to its section."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.monitoring import tools
from tests.unit.deploy.alert_cases import CASES, Case

ROOT: Final = Path(__file__).resolve().parents[3]
RULES: Final = ROOT / "deploy" / "monitoring" / "rules"
_VALUE: Final = re.compile(r"\{\{ \$value \| \w+ \}\}")
_LABEL: Final = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_SECTION: Final = re.compile(r"^### (\w+)\n\n\*([^*\n]+)\*\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def groups(name: str, folder: Path = RULES) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((folder / name).read_text())["groups"]
    return found


ALERTS: Final[Mapping[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in groups("alerts.yml") for rule in group["rules"]
}
RUNBOOK: Final[Mapping[str, tuple[str, str]]] = {
    name: (when, text) for name, when, text in _SECTION.findall((ROOT / "docs" / "runbook.md").read_text())
}


@pytest.fixture(scope="module")
def promtool() -> Path:
    program = tools.found("promtool")
    if program is None:
        pytest.skip(tools.MISSING)
    return program


def run(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def expected(case: Case) -> dict[str, Any]:
    """The alert as it is told, annotations and all."""
    rule = ALERTS[case.alert]
    written = {
        name: _LABEL.sub(lambda match: case.labels[match[1]], _VALUE.sub(case.value, text))
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**case.labels, **rule["labels"]}, "exp_annotations": written}


def moment(case: Case, minutes: int, *, fires: bool) -> dict[str, Any]:
    return {"eval_time": f"{minutes}m", "alertname": case.alert, "exp_alerts": [expected(case)] * fires}


def scenes(case: Case) -> Iterator[dict[str, Any]]:
    """It fires, not before its time has come, and not where all is well."""
    early = [moment(case, 0, fires=False)] if "for" in ALERTS[case.alert] else []
    for series, moments in (
        (case.wrong, [*early, moment(case, case.minutes, fires=True)]),
        (case.right, [moment(case, case.minutes, fires=False)]),
    ):
        inputs = [{"series": name, "values": values} for name, values in {**case.around, **series}.items()]
        yield {"interval": "1m", "input_series": inputs, "alert_rule_test": moments}


def needed(name: str, rules: Path) -> list[dict[str, Any]]:
    """The alert's rule, after those that record what it reads: all of them, for every alert, would take minutes."""
    recorded = [rule for group in groups("recording.yml", rules) for rule in group["rules"]]
    [alert] = [rule for group in groups("alerts.yml", rules) for rule in group["rules"] if rule["alert"] == name]
    return [*(rule for rule in recorded if rule["record"] in alert["expr"]), alert]


def trial(folder: Path, case: Case, rules: Path = RULES) -> Path:
    """A file of tests for promtool, which reads JSON as the YAML that it is."""
    (folder / f"{case.alert}.rules").write_text(
        json.dumps({"groups": [{"name": "trial", "rules": needed(case.alert, rules)}]})
    )
    told = {"rule_files": [f"{case.alert}.rules"], "evaluation_interval": "1m", "tests": list(scenes(case))}
    file = folder / f"{case.alert}.trial"
    file.write_text(json.dumps(told))
    return file


def test_the_rules_are_valid(promtool: Path) -> None:
    done = run(promtool, "check", "rules", *sorted(RULES.glob("*.yml")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_valid(promtool: Path) -> None:
    done = run(promtool, "check", "config", RULES.parent / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_not_else(promtool: Path, tmp_path: Path) -> None:
    done = run(promtool, "test", "rules", *(trial(tmp_path, case) for case in CASES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_is_left_untried() -> None:
    assert sorted(case.alert for case in CASES) == sorted(ALERTS)


@pytest.mark.parametrize(
    ("was", "becomes"), [("orders:stuck:max > 0", "orders:stuck:max > 5"), ("for: 10m", "for: 50m")]
)
def test_a_wrong_threshold_or_time_is_seen(promtool: Path, tmp_path: Path, was: str, becomes: str) -> None:
    for file in RULES.glob("*.yml"):
        (tmp_path / file.name).write_text(file.read_text().replace(was, becomes, 1))
    [stuck] = [case for case in CASES if case.alert == "OrdersStuck"]
    done = run(promtool, "test", "rules", trial(tmp_path, stuck, tmp_path))
    assert done.returncode != 0
    assert "OrdersStuck" in done.stdout + done.stderr


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    assert sorted(RUNBOOK) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_leads_to_its_section(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert rule["labels"]["severity"] in ("page", "ticket")
    when = f"after {rule['for']}" if "for" in rule else "at once"
    assert RUNBOOK[name][0] == f"{rule['labels']['severity']} · {when}"


@pytest.mark.parametrize("name", RUNBOOK)
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(name: str) -> None:
    text = RUNBOOK[name][1]
    assert re.findall(r"^\*\*(\w+)\*\* ", text, re.MULTILINE) == ["Means", "Look", "Do"]
