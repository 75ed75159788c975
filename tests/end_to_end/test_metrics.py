"""What the processes tell at /metrics is what docs/metrics.md says, no more and no less."""

import subprocess
import urllib.request

import pytest

from deploy.local import Stack
from deploy.monitoring import tools
from tests.architecture.metrics import EVERYBODY, ONLY_WHEN, declared
from tests.end_to_end.shop import Shop


def scraped(stack: Stack, context: str) -> str:
    with urllib.request.urlopen(f"http://{stack.place.address(f'{context} metrics')}/metrics") as answer:
        told: str = answer.read().decode()
    return told


def expected(context: str) -> tuple[set[str], set[str]]:
    """The names and types that a process always tells, and those that it may."""
    ours = [metric for metric in declared() if context in metric.tellers]
    lines = {f"{metric.full_name.replace('<context>', context)} {metric.kind}": metric for metric in ours}
    always = {line for line, metric in lines.items() if metric.context or metric.name not in ONLY_WHEN}
    return always, set(lines)


@pytest.mark.parametrize("context", EVERYBODY)
def test_every_metric_of_the_table_is_told_and_none_beside_it(context: str, stack: Stack) -> None:
    Shop(stack).call("GET", "/orders")

    kinds = [line.removeprefix("# TYPE ") for line in scraped(stack, context).splitlines() if line.startswith("# TYPE")]
    told = {kind for kind in kinds if kind.startswith(f"{context}_")}

    always, possible = expected(context)
    assert always <= told <= possible, (always - told, told - possible)
    foreign = [kind for kind in kinds if not kind.startswith((f"{context}_", "process_", "python_"))]
    assert foreign == []


@pytest.mark.parametrize("context", EVERYBODY)
def test_promtool_finds_nothing_to_complain_of(context: str, stack: Stack) -> None:
    promtool = tools.found("promtool")
    if promtool is None:
        pytest.skip(tools.MISSING)

    found = subprocess.run(
        [promtool, "check", "metrics"], input=scraped(stack, context), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    ours = [line for line in found.stdout.splitlines() if line.startswith(f"{context}_")]
    assert not ours, "\n".join(ours)
