"""What processes say and weigh: the consumers' counts (I12), and memory, descriptors and threads (I11)."""

import re
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.services import BACKENDS
from tests.chaos.invariants import Broken
from tests.chaos.links import LinkedStack

_COUNT: Final = re.compile(r'^\w+_consumer_(received|events)_total\{consumer="([^"]+)"(?:,fate="(\w+)")?\} (\S+)$')
_FATES: Final = frozenset({"applied", "duplicate", "ignored", "parked"})
_STATUS: Final = re.compile(r"^(VmRSS|Threads):\s+(\d+)", re.MULTILINE)

RESIDENT_GROWTH: Final = 1.5
RESIDENT_MB: Final = 60
MORE_THREADS: Final = 20
MORE_DESCRIPTORS: Final = 60


def miscounted(page: str) -> list[Mapping[str, Any]]:
    """Consumers on a metrics page whose received is not applied + duplicate + ignored + parked."""
    received: dict[str, float] = defaultdict(float)
    fates: dict[str, float] = defaultdict(float)
    for line in page.splitlines():
        if (found := _COUNT.match(line)) is None:
            continue
        what, consumer, fate, count = found.groups()
        if what == "received":
            received[consumer] += float(count)
        elif fate in _FATES:
            fates[consumer] += float(count)
    return [
        {"consumer": consumer, "received": count, "fates": fates[consumer]}
        for consumer, count in received.items()
        if count != fates[consumer]
    ]


def miscounts(stack: LinkedStack) -> Broken:
    """I12, of every service as it has counted since it was started last."""
    wrong: list[Mapping[str, Any]] = []
    for service in BACKENDS:
        url = f"http://{stack.place.address(service.metrics)}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            wrong += miscounted(answer.read().decode())
    return {"I12 received is applied + duplicate + ignored + parked": wrong} if wrong else {}


@dataclass(frozen=True)
class Weight:
    """What a process takes."""

    resident_mb: float
    threads: int
    descriptors: int

    def is_much_more_than(self, before: "Weight") -> bool:
        return (
            self.resident_mb > before.resident_mb * RESIDENT_GROWTH + RESIDENT_MB
            or self.threads > before.threads + MORE_THREADS
            or self.descriptors > before.descriptors + MORE_DESCRIPTORS
        )


def weights(pids: Mapping[str, int]) -> dict[str, Weight]:
    return {name: weight_of(Path(f"/proc/{pid}")) for name, pid in pids.items()}


def weight_of(process: Path) -> Weight:
    fields = dict(_STATUS.findall((process / "status").read_text()))
    descriptors = sum(1 for _ in (process / "fd").iterdir())
    return Weight(int(fields.get("VmRSS", 0)) / 1024, int(fields.get("Threads", 0)), descriptors)


def grown(before: Mapping[str, Weight], now: Mapping[str, Weight]) -> Broken:
    """I11: processes that did not return to their baseline."""
    wrong: list[Mapping[str, Any]] = [
        {"process": name, "before": before[name], "now": weight}
        for name, weight in now.items()
        if name in before and weight.is_much_more_than(before[name])
    ]
    return {"I11 processes return to their baseline": wrong} if wrong else {}
