"""Alerts fire on the real system when what they are about happens, and end with it, as a real Prometheus sees it.

`make alerts` sees more of them, on a system with its ordinary settings, and takes longer.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from deploy.local import Stack
from tests.chaos.alerts.causes import CAUSES, Cause
from tests.chaos.alerts.prometheus import NoPrometheus, Prometheus, watching
from tests.waiting import until

QUICK: Final = [cause for cause in CAUSES if cause.alert in ("StockDifference", "ServiceDown", "DeadLetters")]
SECONDS: Final = 120.0


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Iterator[Stack]:
    """The movements are added up each second, instead of every thirty."""
    stack.take_down("inventory_service")
    stack.bring_up("inventory_service", {"LEDGER_CHECK_SECONDS": "1"})
    yield stack
    stack.take_down("inventory_service")
    stack.bring_up("inventory_service")


@pytest.fixture(scope="module")
def prometheus(watched: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It looks each second, and alerts wait two."""
    try:
        with watching(watched, tmp_path_factory.mktemp("prometheus")) as running:
            yield running
    except NoPrometheus as reason:
        pytest.skip(str(reason))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("cause", QUICK, ids=lambda cause: cause.alert)
def test_an_alert_fires_for_its_cause_and_ends_with_it(cause: Cause, watched: Stack, prometheus: Prometheus) -> None:
    assert not prometheus.firing(cause.alert, **cause.labels)

    with cause.make(watched):
        fired = until(lambda: prometheus.firing(cause.alert, **cause.labels), seconds=SECONDS, every=0.2)
        assert fired, prometheus.ask("alerts")
        assert fired[0]["annotations"]["runbook_url"] == f"docs/runbook.md#{cause.alert.lower()}"

    assert until(lambda: not prometheus.firing(cause.alert, **cause.labels), seconds=SECONDS, every=0.2)
