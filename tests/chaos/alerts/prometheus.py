"""A real Prometheus beside a stack, with the project's own rules, which wait seconds instead of minutes."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local import Stack
from deploy.local.child import Command
from deploy.local.ports import is_free
from deploy.monitoring import tools
from tests.waiting import until

MONITORING: Final = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
NAME: Final = "prometheus"
_FOR: Final = re.compile(r"^( +for: )\w+$", re.MULTILINE)
_PORT: Final = 9090
_READY_SECONDS: Final = 60.0


class NoPrometheus(Exception):
    """It is not on this machine."""


@dataclass(frozen=True)
class Prometheus:
    """Asked over its API."""

    address: str

    def ask(self, path: str) -> Any:
        """The data of an answer; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", timeout=5) as answer:
                return json.loads(answer.read())["data"]
        except (urllib.error.URLError, TimeoutError):
            return None

    def firing(self, alert: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts of this name that fire now, with these labels at least."""
        told = self.ask("alerts") or {"alerts": []}
        wanted = {"alertname": alert, **labels}
        return [
            each for each in told["alerts"] if each["state"] == "firing" and wanted.items() <= each["labels"].items()
        ]

    def sees_all(self, jobs: int) -> bool:
        """Whether so many jobs are scraped, each with success."""
        targets = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
        return len([target for target in targets if target["health"] == "up"]) >= jobs


def configure(stack: Stack, folder: Path, waits: str) -> Path:
    """The project's own settings with this stack's addresses, a look each second, and `for` cut to `waits`."""
    settings = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in settings["scrape_configs"]:
        job["static_configs"] = [{"targets": [stack.place.address(f"{job['job_name']} metrics")]}]
    (folder / "rules").mkdir()
    for file in (MONITORING / "rules").glob("*.yml"):
        (folder / "rules" / file.name).write_text(_FOR.sub(rf"\g<1>{waits}", file.read_text()))
    written = folder / "prometheus.yml"
    written.write_text(json.dumps(settings))
    return written


@contextmanager
def watching(stack: Stack, folder: Path, waits: str = "2s") -> Iterator[Prometheus]:
    """Prometheus as one more child of the stack's supervisor; gone afterwards. Raises NoPrometheus."""
    program = tools.found(NAME)
    if program is None:
        raise NoPrometheus(tools.MISSING.replace("promtool", NAME, 1))
    port = next(port for port in range(_PORT, 65_536, 101) if is_free(port))
    address = f"127.0.0.1:{port}"
    arguments = (
        str(program),
        f"--config.file={configure(stack, folder, waits)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    supervisor = stack.infrastructure.supervisor
    supervisor.start(Command(NAME, arguments, stack.place.log_of(NAME), directory=folder))
    try:
        prometheus = Prometheus(address)
        assert until(lambda: prometheus.sees_all(5), seconds=_READY_SECONDS, every=0.2), "Prometheus does not see all"
        yield prometheus
    finally:
        supervisor.stop([NAME])
