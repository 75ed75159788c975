"""Which faults a run will see, and when: a pure function of its seed, so that a run can be repeated."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.failpoints import SERVICES, failpoints_of
from tests.chaos.links import ASKS, OUTSIDE

SERVERS: Final = ("postgres", "kafka", "valkey")
PROCESSES: Final = (*SERVICES, "gateway")
SIMULATORS: Final = tuple(simulator for _, simulator, _ in OUTSIDE.values())
LINKS: Final = (
    *(f"{service}-{server}" for service in SERVICES for server in SERVERS),
    *(f"{caller}-{context}" for caller, contexts in ASKS.items() for context in contexts),
    *(f"{service}-outside" for service in OUTSIDE),
    *(f"{simulator}-gateway" for simulator in SIMULATORS),
)
TOPICS: Final = ("orders.events", "inventory.events", "payments.requests", "payments.events", "suppliers.requests",
                 "suppliers.events")  # fmt: skip
BUSY_TABLES: Final = ("orders.orders", "inventory.stock", "payments.payments", "suppliers.supplier_orders")
ACTIONS: Final = ("crash", "crash", "raise", "sleep:300", "sleep:3000")
BEHAVIOURS: Final[Sequence[Mapping[str, int]]] = (
    {"errors": 100},
    {"errors": 50},
    {"timeouts_before": 60},
    {"timeouts_after": 60},
    {"timeouts_after": 100},
    {"garbage": 60},
    {"latency_ms": 1000},
    {"failures": 40},
    {"errors": 20, "timeouts_before": 20, "timeouts_after": 20, "garbage": 20},
    {"webhooks_duplicated": 100, "webhooks_reordered": 50},
    {"webhooks_forged": 100, "webhooks_delayed_ms": 1500},
)
"""What parties outside are switched to."""
FAULTS_PER_SECOND: Final = 0.7


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: `at` seconds into the load, for `seconds`; `detail` is the kind's own."""

    at: float
    kind: str
    target: str
    seconds: float = 0.0
    detail: str = ""

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:5.1f} s  {self.kind} {self.target}{lasting}{f': {self.detail}' if self.detail else ''}"


Draw = Callable[[random.Random, float], Fault]


def _killed(chance: random.Random, at: float) -> Fault:
    return Fault(at, "kill", chance.choice(PROCESSES))


def _outside_down(chance: random.Random, at: float) -> Fault:
    kind = chance.choice(("kill", "freeze", "down"))
    return Fault(at, kind, chance.choice(SIMULATORS), 0.0 if kind == "kill" else chance.uniform(0.5, 5.0))


def _misbehaving(chance: random.Random, at: float) -> Fault:
    told = dict(chance.choice(BEHAVIOURS), seed=chance.randrange(1_000))
    return Fault(at, "behaviour", chance.choice(SIMULATORS), chance.uniform(1.0, 6.0), json.dumps(told))


def _server_killed(chance: random.Random, at: float) -> Fault:
    return Fault(at, "kill", chance.choice(SERVERS))


def _restarted(chance: random.Random, at: float) -> Fault:
    return Fault(at, "restart", chance.choice(PROCESSES))


def _frozen(chance: random.Random, at: float) -> Fault:
    return Fault(at, "freeze", chance.choice((*PROCESSES, *SERVERS)), chance.choice((0.5, 2.0, 4.0, 9.0)))


def _down(chance: random.Random, at: float) -> Fault:
    return Fault(at, "down", chance.choice((*SERVICES, *SERVERS)), chance.uniform(0.5, 5.0))


def _armed(chance: random.Random, at: float) -> Fault:
    service = chance.choice(tuple(SERVICES))
    names = chance.sample(failpoints_of(service), 2)
    return Fault(at, "failpoint", service, detail=",".join(f"{name}={chance.choice(ACTIONS)}" for name in names))


def _delayed(chance: random.Random, at: float) -> Fault:
    milliseconds = chance.choice((20, 100, 500, 2000))
    return Fault(at, "delay", chance.choice(LINKS), chance.uniform(1.0, 5.0), f"{milliseconds} ms")


def _dropped(chance: random.Random, at: float) -> Fault:
    kind = chance.choice(("drop", "one_way", "half_open", "refuse"))
    return Fault(at, kind, chance.choice(LINKS), chance.uniform(0.5, 6.0))


def _sliced(chance: random.Random, at: float) -> Fault:
    return Fault(at, "slice", chance.choice(LINKS), chance.uniform(1.0, 5.0))


def _reset(chance: random.Random, at: float) -> Fault:
    return Fault(at, "reset", chance.choice(LINKS))


def _garbage(chance: random.Random, at: float) -> Fault:
    return Fault(at, chance.choice(("garbage", "duplicates")), chance.choice(TOPICS), detail=str(chance.randint(1, 99)))


def _sessions(chance: random.Random, at: float) -> Fault:
    return Fault(at, "sessions", chance.choice(tuple(SERVICES.values())))


def _locked(chance: random.Random, at: float) -> Fault:
    return Fault(at, "locks", chance.choice(BUSY_TABLES), chance.uniform(0.5, 4.0))


def _flushed(_chance: random.Random, at: float) -> Fault:
    return Fault(at, "flush", "valkey")


def _demoted(chance: random.Random, at: float) -> Fault:
    return Fault(at, "read_only", "postgres", chance.uniform(0.5, 5.0))


def _rolled(_chance: random.Random, at: float) -> Fault:
    return Fault(at, "rolling", "services")


def _replayed(chance: random.Random, at: float) -> Fault:
    return Fault(at, "replay", chance.choice(tuple(SERVICES)), detail=f"{chance.choice((20, 200))} of each partition")


def _webhooks(chance: random.Random, at: float) -> Fault:
    return Fault(at, "webhooks", chance.choice(("payments", "suppliers")))


DRAWS: Final[Mapping[Draw, int]] = {
    _killed: 6, _server_killed: 2, _restarted: 2, _frozen: 3, _down: 2, _armed: 5, _delayed: 3, _dropped: 4, _reset: 3,
    _sliced: 1, _garbage: 4, _sessions: 2, _locked: 2, _flushed: 1, _demoted: 2, _rolled: 1, _replayed: 2, _webhooks: 3,
    _outside_down: 3, _misbehaving: 6,
}  # fmt: skip
"""Kinds of faults, and how often each is drawn."""


def schedule(seed: str, seconds: float) -> Sequence[Fault]:
    """The faults of a run whose load lasts so long, in their order."""
    chance = random.Random(seed)
    times = sorted(chance.uniform(0.3, seconds) for _ in range(max(2, round(seconds * FAULTS_PER_SECOND))))
    kinds = chance.choices(list(DRAWS), list(DRAWS.values()), k=len(times))
    return [draw(chance, at) for draw, at in zip(kinds, times, strict=True)]
