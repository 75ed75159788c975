"""Several instances of one kind: what a second worker brings, and what it costs a machine that has no room for it."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from signal import SIGCONT, SIGSTOP
from typing import Final

from kafka.admin import KafkaAdminClient

from chassis import clock
from deploy.local.instances import APART as ROLES_APART
from deploy.local.services import BACKENDS
from deploy.local.stack import Stack
from tests.bench import table
from tests.bench.cores import second_core
from tests.bench.load import SKUS
from tests.bench.processes import cpu_seconds, ports_of, tasks_of
from tests.bench.system import System, settled
from tests.bench.table import Part, row, spread
from tests.waiting import until

ASYNC: Final = "respond-async"
MANY_SKUS: Final = 20_000
_WORKERS: Final = [f"{service.name}:worker" for service in BACKENDS]
ONE: Final = {"gateway": 1, **dict.fromkeys(_WORKERS, 1)}
TWO: Final = {"gateway": 2, **dict.fromkeys(_WORKERS, 2)}
IN_ONE: Final = {"gateway": 1, **dict.fromkeys(_WORKERS, 0)}
"""Every service in one process, its worker with it."""
APART: Final = {f"{name}:{role}": 1 for name in ("order_service", "inventory_service") for role in ROLES_APART}
TOGETHER: Final = dict.fromkeys(APART, 0)
_DRAIN_SECONDS: Final = 180.0
_DOOR_SECONDS: Final = 25.0
"""A member that has not asked its group for anything for 30 s leaves it."""
_LOOK_SECONDS: Final = 0.05
_COUNTING_SECONDS: Final = 1.0
_FROM: Final = 0.1
_TO: Final = 0.9
"""The shares of a backlog between which its rate is taken."""
_FIRST: Final = "CAST(:since AS uuid)"


@dataclass(frozen=True)
class Feed:
    """How a worker is given a backlog of which each order makes it tell one fact: so its outbox counts what is done."""

    service: str
    context: str
    """Of its schema and its consumer group."""
    before: str
    """How many orders have come as far as the worker that is measured, and are on their topic."""
    away: Sequence[str]
    """Who would go on with what the worker does, and take the cores from it."""

    @property
    def inbox(self) -> str:
        return f"{self.context}.inbox"


ORDERS: Final = Feed(
    "order_service",
    "orders",
    f"SELECT count(*) AS n FROM inventory.reservations WHERE id >= {_FIRST}"
    " AND NOT EXISTS (SELECT FROM inventory.outbox)",
    ("gateway", "inventory_service", "payment_service", "order_service"),
)
PAYMENTS: Final = Feed(
    "payment_service",
    "payments",
    f"SELECT count(*) AS n FROM orders.orders WHERE id >= {_FIRST} AND status <> 'PENDING'"
    " AND NOT EXISTS (SELECT FROM orders.outbox)",
    ("gateway", "order_service", "inventory_service", "payment_service"),
)
INVENTORY: Final = Feed(
    "inventory_service",
    "inventory",
    f"SELECT count(*) AS n FROM orders.orders WHERE id >= {_FIRST} AND NOT EXISTS (SELECT FROM orders.outbox)",
    ("gateway", "order_service", "payment_service", "inventory_service"),
)


@dataclass(frozen=True)
class Drain:
    """How fast workers worked a backlog off, and what that took of the cores."""

    workers: int
    events: int
    per_second: float
    worker_cpu: float
    postgres_cpu: float


class Several:
    """Measures on one stack."""

    def __init__(self, stack: Stack, system: System, seconds: float, pairs: int, say: Callable[[str], None]) -> None:
        self._stack, self._system = stack, system
        self._seconds, self._pairs, self._say = seconds, pairs, say
        self._cores: list[float] = []

    def measure(self) -> Part:
        """Side by side on all cores; then each worker alone, one and two of it."""
        whole = self._whole()
        waits = self._waits()
        # It comes by chance, takes a core for seconds, and is done before each backlog instead.
        self._system.set_postgres("autovacuum", "off")
        drains = {"order workers": self._drains(ORDERS), "payment workers": self._drains(PAYMENTS)}
        drains[f"inventory workers, {SKUS} SKUs"] = self._drains(INVENTORY)
        self._more_products()
        drains[f"inventory workers, {MANY_SKUS:,} SKUs"] = self._drains(INVENTORY, MANY_SKUS)
        lines = ["", "Two gateways and two workers of each service, beside one of each; respond-async, 64 connections"]
        lines += [row("  orders/s of two, of one", f"{spread(whole['two'])}, {spread(whole['one'])}")]
        lines += [row("  with workers and the rest in one process", spread(whole["together"]))]
        shares = [two / one for two, one in zip(whole["two"], whole["one"], strict=True)]
        lines += [row("  share", spread(shares, 2), table.at_least(shares, 0.9))]
        lines += [
            row("201 p50 at 50 orders/s, all roles together, ms", spread(waits["together"], 1)),
            row("  api, worker, relay and jobs apart, ms", spread(waits["apart"], 1)),
        ]
        for name, (ones, twos) in drains.items():
            lines += _lines(name, ones, twos)
        lines += ["", row("Two cores of this machine beside one, counting in Python: times", spread(self._cores, 2))]
        figures = {name: [asdict(each) for both in pair for each in both] for name, pair in drains.items()}
        return Part(lines, {"several": {"whole": whole, "waits": waits, **figures}})

    def _whole(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"one": [], "two": [], "together": []}
        self._system.saturate(self._seconds, ASYNC)
        for number in range(self._pairs):
            for name, counts in (("one", ONE), ("two", TWO), ("together", IN_ONE)):
                self._say(f"pair {number + 1} of {self._pairs}: {name} of each")
                self._stack.scale(counts)
                settled(2)
                found[name].append(self._system.saturate(self._seconds, ASYNC).per_second)
        self._stack.scale(IN_ONE)
        return found

    def _waits(self) -> dict[str, list[float]]:
        """What a client who waits for its order notices of who decides it being another process."""
        found: dict[str, list[float]] = {"together": [], "apart": []}
        for number in range(self._pairs):
            for name, counts in (("together", TOGETHER), ("apart", APART)):
                self._say(f"pair {number + 1} of {self._pairs}: clients wait, roles {name}")
                self._stack.scale(counts)
                settled(2)
                found[name].append(self._system.steady(self._seconds, "", 50.0).rest_p50)
        self._stack.scale(TOGETHER)
        return found

    def _drains(self, feed: Feed, skus: int = SKUS) -> tuple[list[Drain], list[Drain]]:
        found: tuple[list[Drain], list[Drain]] = ([], [])
        for number in range(self._pairs):
            self._cores.append(second_core(_COUNTING_SECONDS))
            for workers in (1, 2):
                self._say(f"pair {number + 1} of {self._pairs}: {workers} x {feed.service}:worker, {skus} SKUs")
                found[workers - 1].append(self._drain(feed, workers, skus))
        self._stack.scale({f"{feed.service}:worker": 0})
        return found

    def _drain(self, feed: Feed, workers: int, skus: int) -> Drain:
        """The workers wait at a door with their partitions in hand while orders are placed; then they are alone."""
        self._stack.scale({f"{feed.service}:worker": workers})
        names = [each.name for each in self._stack.fleet.members if each.kind == f"{feed.service}:worker"]
        self._joined(feed, workers)
        self._system.at_rest()
        with self._system.holding(feed.inbox):
            since, run = self._system.begin()
            begun = clock.monotonic()
            answers = self._system.place_closely(run, self._seconds, ASYNC, skus)
            placed = sum(number for status, number in answers.statuses.items() if 200 <= status < 300)
            self._wait_for(feed.before, placed, since=since)
            self._wait_for(_AT_THE_DOOR, workers, table=feed.inbox)
            self._pin(names)
            self._freeze(feed.away)
            told = self._told(feed)
            waited = clock.monotonic() - begun
        try:
            if waited > _DOOR_SECONDS:
                raise RuntimeError(f"workers waited {waited:.0f} s for a backlog, and may have left their group")
            return self._drained(feed, names, told, placed)
        finally:
            for name in feed.away:
                self._stack.kill(name, SIGCONT)
            self._wait_for(_OPEN_NONE, 0, since=since)

    def _drained(self, feed: Feed, names: Sequence[str], before: int, placed: int) -> Drain:
        """Neither start nor end counts."""
        pids = {name: self._stack.pids[name] for name in (*names, "postgres")}
        first = self._reached(feed, before + placed * _FROM)
        begun, used_before = clock.monotonic(), cpu_seconds(pids)
        last = self._reached(feed, before + placed * _TO)
        seconds, used_after = clock.monotonic() - begun, cpu_seconds(pids)
        used = {name: (used_after[name] - used_before[name]) / seconds for name in pids}
        self._reached(feed, before + placed)
        return Drain(len(names), placed, (last - first) / seconds, sum(used[n] for n in names), used["postgres"])

    def _joined(self, feed: Feed, workers: int) -> None:
        """Return when the group has shared its partitions out to so many."""
        brokers = self._stack.infrastructure.kafka_bootstrap_servers
        with closing(KafkaAdminClient(bootstrap_servers=brokers)) as admin:

            def is_shared_out() -> bool:
                group = admin.describe_groups([feed.context])[feed.context]
                return group["group_state"] == "Stable" and len(group["members"]) == workers

            if not until(is_shared_out, seconds=_DRAIN_SECONDS, every=0.1):
                raise RuntimeError(f"the group {feed.context} has not got {workers} members: {feed.service}")

    def _pin(self, names: Sequence[str]) -> None:
        """Each worker on a core of its own, as long as there are enough: its threads, and its sessions at Postgres."""
        for number, name in enumerate(names):
            pid = self._stack.pids[name]
            sessions = self._system.rows(_SESSIONS, ports=sorted(ports_of(pid)))
            for task in (*tasks_of(pid), *(int(session.pid) for session in sessions)):
                os.sched_setaffinity(task, {number % (os.cpu_count() or 1)})

    def _freeze(self, names: Sequence[str]) -> None:
        for name in names:
            self._stack.kill(name, SIGSTOP)

    def _reached(self, feed: Feed, wanted: float) -> int:
        """How many facts the context has ever told, once they are so many."""
        told = until(lambda: told if (told := self._told(feed)) >= wanted else 0, _DRAIN_SECONDS, _LOOK_SECONDS)
        if not told:
            raise RuntimeError(f"{self._told(feed)} of {wanted:g} after {_DRAIN_SECONDS:g} s: {feed.service}")
        return told

    def _told(self, feed: Feed) -> int:
        # Counting rows would take the cores that are measured.
        return int(self._system.rows(f"SELECT last_value FROM {feed.context}.outbox_id_seq")[0].last_value)

    def _wait_for(self, sql: str, wanted: int, **params: str) -> None:
        if not until(lambda: self._count(sql, params) == wanted, seconds=_DRAIN_SECONDS, every=_LOOK_SECONDS):
            raise RuntimeError(f"{self._count(sql, params)} of {wanted} after {_DRAIN_SECONDS:g} s: {sql}")

    def _count(self, sql: str, params: Mapping[str, str]) -> int:
        return int(self._system.rows(sql, **params)[0].n)

    def _more_products(self) -> None:
        """As the first one is, in the copies of all who have one: by SQL, because over REST it takes minutes."""
        self._say(f"{MANY_SKUS:,} products")
        tables = ("inventory.products", "inventory.stock", "orders.prices")
        self._system.change([_COPY.format(table=name, known=SKUS, last=MANY_SKUS - 1) for name in tables])


_AT_THE_DOOR: Final = (
    "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND relation = CAST(CAST(:table AS text) AS regclass)"
)
_SESSIONS: Final = "SELECT pid FROM pg_stat_activity WHERE client_port = ANY(CAST(:ports AS integer[]))"
_OPEN_NONE: Final = "SELECT count(*) AS n FROM orders.unfinished WHERE order_id >= CAST(:since AS uuid)"
_COPY: Final = """
INSERT INTO {table}
SELECT (jsonb_populate_record(CAST(NULL AS {table}), to_jsonb(known) || jsonb_build_object('sku', more.name))).*
FROM {table} AS known,
    (SELECT 'BENCH-' || number AS name FROM generate_series({known}, {last}) AS number) AS more
WHERE known.sku = 'BENCH-000' ON CONFLICT DO NOTHING
"""


def _lines(name: str, ones: Sequence[Drain], twos: Sequence[Drain]) -> list[str]:
    ratios = [two.per_second / one.per_second for one, two in zip(ones, twos, strict=True)]
    bar = "" if name.startswith("inventory") else table.at_least(ratios, 1.6)
    return [
        "", f"A backlog, worked off by {name} alone, each on a core",
        row("  orders/s of one", spread([each.per_second for each in ones])),
        row("  orders/s of two", spread([each.per_second for each in twos])),
        row("  times", spread(ratios, 2), bar),
        row("  cores that one took, and Postgres beside it", _cores(ones)),
        row("  cores that two took, and Postgres beside them", _cores(twos)),
    ]  # fmt: skip


def _cores(drains: Sequence[Drain]) -> str:
    workers, postgres = ([vars(each)[name] for each in drains] for name in ("worker_cpu", "postgres_cpu"))
    return f"{spread(workers, 2)}, {spread(postgres, 2)}"
