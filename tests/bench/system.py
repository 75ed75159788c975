"""The running system under load: rates, times, CPU per order and process, memory, idle CPU."""

import asyncio
import json
import statistics
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, create_engine, text
from sqlalchemy.engine import make_url

from chassis import clock, ids
from deploy.local.issuer.signing import signer_of
from deploy.local.stack import Stack
from tests.bench import wrk
from tests.bench.load import NOBODY, SKUS, Answers, Load
from tests.bench.mix import HAPPY, SCENARIOS, SHORT_SKUS, Mix, short_sku, sku
from tests.bench.processes import cpu_seconds, resident_mb
from tests.waiting import until

CUSTOMERS = 997
_STOCK = 1_000_000_000
_DRAIN_SECONDS = 120.0

_OPEN = "SELECT count(*) AS orders FROM orders.unfinished WHERE order_id >= CAST(:since AS uuid)"
_ENDS = """
SELECT split_part(idempotency_key, '.', 2) AS kind, status, count(*) AS orders
FROM orders.orders WHERE id >= CAST(:since AS uuid) AND idempotency_key LIKE :run GROUP BY 1, 2
"""
_TIMES = """
WITH run AS (
    SELECT created_at, COALESCE(completed_at, cancelled_at, updated_at) AS ended_at,
        EXTRACT(epoch FROM completed_at - created_at) * 1000 AS took
    FROM orders.orders WHERE id >= CAST(:since AS uuid) AND idempotency_key LIKE :run
), span AS (
    SELECT min(created_at) AS first, max(created_at) AS last FROM run
)
SELECT EXTRACT(epoch FROM max(ended_at) - first) AS seconds,
    count(*) FILTER (WHERE ended_at <= last) / EXTRACT(epoch FROM last - first) AS meanwhile,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50, percentile_cont(0.99) WITHIN GROUP (ORDER BY took) AS p99
FROM run, span GROUP BY first, last
"""


@dataclass
class Run:
    """One run's figures; times in milliseconds, CPU in microseconds per order, `ends` by kind and last status.

    `per_second` is until the last order has ended, `meanwhile` what ended while others were still placed.
    """

    orders: int
    per_second: float
    meanwhile: float
    cpu: dict[str, float]
    rest_p50: float
    rest_p99: float
    completed_p50: float
    completed_p99: float
    statuses: dict[int, int]
    client_cpu: float
    ends: dict[str, int]

    @property
    def cpu_per_order(self) -> float:
        return sum(self.cpu.values())


class System:
    """A stack with the benchmark's products on its shelves."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._port = 8080 + stack.place.port_offset
        self._bearers = _bearers(stack)
        url = make_url(stack.infrastructure.database_url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(url)

    def stock_up(self) -> None:
        """200 products, more of each than any run can sell; and suppliers' products of which there is one."""
        shelves = [(sku(number), _STOCK, {"supply": "STOCK"}) for number in range(SKUS)]
        for name, scenario in SCENARIOS.items():
            supply = {"supply": "SUPPLIER", "supplier": "simulated", "supplier_scenario": scenario}
            shelves += [(short_sku(name, number), 1, supply) for number in range(SHORT_SKUS)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._stock_up_one, shelves))

    def saturate(self, seconds: float, prefer: str, mix: Mix = HAPPY) -> Run:
        """64 connections as fast as answers come, until every order has ended."""
        since, run = self.begin()
        before = cpu_seconds(self.pids)
        answers, p50, p99 = self.place(run, seconds, prefer, mix)
        until(lambda: self._open(since) == 0, seconds=_DRAIN_SECONDS, every=0.1)
        return self._finished(since, run, before, answers, (p50, p99), mix)

    def steady(self, seconds: float, prefer: str, per_second: float = 300.0) -> Run:
        """A fixed rate, until every order is COMPLETED; each timed from when it was due."""
        since, run = self.begin()
        before = cpu_seconds(self.pids)
        answers = self.place_steadily(run, seconds, prefer, per_second)
        until(lambda: self._open(since) == 0, seconds=_DRAIN_SECONDS, every=0.1)
        return self._finished(since, run, before, answers, (answers.percentile(0.5), answers.percentile(0.99)), HAPPY)

    @staticmethod
    def begin() -> tuple[str, str]:
        """An id below those of all orders that are placed from now on, and what their keys begin with."""
        since = ids.new_id()
        return since, f"b-{since}"

    def place(self, run: str, seconds: float, prefer: str, mix: Mix) -> tuple[Answers, float, float]:
        """As fast as answers come; the answers, and their p50 and p99 in milliseconds."""
        if wrk.is_there():
            return wrk.closed_loop(self._port, prefer, run, seconds, mix, bearers=self._bearers)
        answers = asyncio.run(Load(self._port, prefer, run, mix, self._bearers).closed_loop(seconds))
        return answers, answers.percentile(0.5), answers.percentile(0.99)

    def place_closely(self, run: str, seconds: float, prefer: str, skus: int) -> Answers:
        """As fast as answers come, of so many products."""
        return asyncio.run(Load(self._port, prefer, run, bearers=self._bearers, skus=skus).closed_loop(seconds))

    def place_steadily(self, run: str, seconds: float, prefer: str, per_second: float) -> Answers:
        """At a fixed rate, whatever the answers do."""
        return asyncio.run(Load(self._port, prefer, run, bearers=self._bearers).open_loop(seconds, per_second))

    def idle(self, seconds: float) -> dict[str, float]:
        """Percent of one core per process, with nothing to do."""
        before = cpu_seconds(self.pids)
        asyncio.run(asyncio.sleep(seconds))
        after = cpu_seconds(self.pids)
        return {name: (after[name] - before[name]) / seconds * 100 for name in before}

    def memory(self) -> dict[str, float]:
        """Resident megabytes per process."""
        return resident_mb(self.pids)

    @property
    def port(self) -> int:
        """Where REST answers."""
        return self._port

    @property
    def pids(self) -> Mapping[str, int]:
        return self._stack.pids

    def rows(self, sql: str, **params: object) -> Sequence[Row[Any]]:
        """What the databases say."""
        with self._engine.connect() as connection:
            return connection.execute(text(sql), params).all()

    def change(self, statements: Sequence[str]) -> None:
        """Change the databases themselves, for what no setting does."""
        with self._engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    @contextmanager
    def holding(self, table: str) -> Iterator[None]:
        """Whoever wants to read or write it waits."""
        with self._engine.begin() as connection:
            connection.execute(text(f"LOCK TABLE {table}"))
            yield

    def at_rest(self) -> None:
        """Do now what Postgres would do some time after a load, so that it is not in what is measured next."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))
            connection.execute(text("CHECKPOINT"))

    def set_postgres(self, name: str, value: str) -> None:
        """Change one of Postgres' settings that does not need a restart."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"ALTER SYSTEM SET {name} = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))

    def _finished(
        self,
        since: str,
        run: str,
        before: Mapping[str, float],
        answers: Answers,
        rest: tuple[float, float],
        mix: Mix,
    ) -> Run:
        after = cpu_seconds(self.pids)
        ends = {(row.kind, row.status): row.orders for row in self.rows(_ENDS, since=since, run=f"{run}%")}
        expected = {(kind.name, status) for kind in mix for status in kind.ends}
        if not ends or not ends.keys() <= expected:
            raise RuntimeError(f"orders ended as {ends}, to {answers.statuses}")
        times, orders = self.rows(_TIMES, since=since, run=f"{run}%")[0], sum(ends.values())
        return Run(
            orders=orders,
            per_second=orders / float(times.seconds),
            meanwhile=float(times.meanwhile),
            cpu={name: (after[name] - before[name]) / orders * 1e6 for name in before},
            rest_p50=rest[0],
            rest_p99=rest[1],
            completed_p50=float(times.p50),
            completed_p99=float(times.p99),
            statuses=dict(answers.statuses),
            client_cpu=answers.cpu / orders * 1e6,
            ends={f"{kind} {status}": number for (kind, status), number in sorted(ends.items())},
        )

    def _open(self, since: str) -> int:
        return int(self.rows(_OPEN, since=since)[0].orders)

    def _stock_up_one(self, shelf: tuple[str, int, Mapping[str, str]]) -> None:
        name, pieces, supply = shelf
        product = {"name": f"benchmark product {name}", "price": "2.55", "currency": "GBP", **supply}
        self._send("PUT", f"/products/{name}", product)
        receipt = {"quantity": pieces, "reason": "benchmark", "idempotency_key": "benchmark"}
        self._send("POST", f"/products/{name}/receipts", receipt)

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/v1{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"} | self._as_operator(),
            method=method,
        )
        urllib.request.urlopen(request, timeout=30).close()

    def _as_operator(self) -> dict[str, str]:
        issuer = self._stack.issuer
        return {"Authorization": f"Bearer {issuer.operator_token()}"} if issuer is not None else {}


def _bearers(stack: Stack) -> Mapping[str, str]:
    """What each customer of the usual mix shows; nothing to a system that does not ask."""
    if stack.issuer is None:
        return NOBODY
    signer = signer_of(stack.place.state, stack.issuer.url)
    names = {f"{kind.customer}-{number}" for kind in HAPPY for number in range(CUSTOMERS)}
    return {name: f"Bearer {signer.token('customer', name, name)}" for name in names}


def median(values: list[float]) -> float:
    """The middle one, to quote."""
    return statistics.median(values)


def settled(seconds: float) -> None:
    """Let the last run's background work (vacuum, checkpoints) begin before the next is measured."""
    end = clock.monotonic() + seconds
    until(lambda: clock.monotonic() >= end, seconds=seconds + 1, every=0.1)
