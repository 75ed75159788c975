"""The running system under load: rates, times, CPU per order and process, memory, idle CPU."""

import asyncio
import json
import statistics
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chassis import clock, ids
from deploy.local.stack import Stack
from tests.bench import wrk
from tests.bench.load import SKUS, Answers, Load, sku
from tests.bench.processes import cpu_seconds, resident_mb
from tests.waiting import until

_STOCK = 1_000_000_000
_DRAIN_SECONDS = 120.0

_PROGRESS = """
SELECT count(*) AS placed, count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
       count(*) FILTER (WHERE status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')) AS open
FROM orders.orders WHERE idempotency_key LIKE :run
"""
_TIMES = """
SELECT EXTRACT(epoch FROM max(completed_at) - min(created_at)) AS seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(epoch FROM completed_at - created_at)) * 1000 AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY EXTRACT(epoch FROM completed_at - created_at)) * 1000 AS p99
FROM orders.orders WHERE idempotency_key LIKE :run AND status = 'COMPLETED'
"""


@dataclass
class Run:
    """One run's figures; times in milliseconds, CPU in microseconds per completed order."""

    completed: int
    per_second: float
    cpu: dict[str, float]
    rest_p50: float
    rest_p99: float
    completed_p50: float
    completed_p99: float
    statuses: dict[int, int]
    client_cpu: float

    @property
    def cpu_per_order(self) -> float:
        return sum(self.cpu.values())


class System:
    """A stack with the benchmark's products on its shelves."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._port = 8080 + stack.place.port_offset
        url = make_url(stack.infrastructure.database_url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(url)

    def stock_up(self) -> None:
        """200 products, more of each than any run can sell."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._stock_up_one, range(SKUS)))

    def saturate(self, seconds: float, prefer: str) -> Run:
        """64 connections as fast as answers come, until every order is COMPLETED."""
        run = f"b-{ids.new_id()}"
        before = cpu_seconds(self.pids)
        if wrk.is_there():
            answers, p50, p99 = wrk.closed_loop(self._port, prefer, run, seconds)
        else:
            answers = asyncio.run(Load(self._port, prefer, run).closed_loop(seconds))
            p50, p99 = answers.percentile(0.5), answers.percentile(0.99)
        return self._finished(run, before, answers, p50, p99)

    def steady(self, seconds: float, prefer: str, per_second: float = 300.0) -> Run:
        """A fixed rate, until every order is COMPLETED; each timed from when it was due."""
        run = f"b-{ids.new_id()}"
        before = cpu_seconds(self.pids)
        answers = asyncio.run(Load(self._port, prefer, run).open_loop(seconds, per_second))
        return self._finished(run, before, answers, answers.percentile(0.5), answers.percentile(0.99))

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
    def pids(self) -> Mapping[str, int]:
        return self._stack.pids

    def _finished(self, run: str, before: Mapping[str, float], answers: Answers, p50: float, p99: float) -> Run:
        until(lambda: self._row(_PROGRESS, run).open == 0, seconds=_DRAIN_SECONDS, every=0.1)
        after = cpu_seconds(self.pids)
        progress, times = self._row(_PROGRESS, run), self._row(_TIMES, run)
        if progress.completed == 0 or progress.completed != progress.placed:
            raise RuntimeError(f"{progress.placed} orders placed, {progress.completed} completed: {answers.statuses}")
        return Run(
            completed=progress.completed,
            per_second=progress.completed / float(times.seconds),
            cpu={name: (after[name] - before[name]) / progress.completed * 1e6 for name in before},
            rest_p50=p50,
            rest_p99=p99,
            completed_p50=float(times.p50),
            completed_p99=float(times.p99),
            statuses=dict(answers.statuses),
            client_cpu=answers.cpu / progress.completed * 1e6,
        )

    def _row(self, sql: str, run: str) -> Any:
        with self._engine.connect() as connection:
            return connection.execute(text(sql), {"run": f"{run}%"}).one()

    def _stock_up_one(self, number: int) -> None:
        name = sku(number)
        product = {"name": f"benchmark product {number}", "price": "2.55", "currency": "GBP", "supply": "STOCK"}
        self._send("PUT", f"/products/{name}", product)
        receipt = {"quantity": _STOCK, "reason": "benchmark", "idempotency_key": "benchmark"}
        self._send("POST", f"/products/{name}/receipts", receipt)

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/v1{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=30).close()


def median(values: list[float]) -> float:
    """The middle one, to quote."""
    return statistics.median(values)


def settled(seconds: float) -> None:
    """Let the last run's background work (vacuum, checkpoints) begin before the next is measured."""
    end = clock.monotonic() + seconds
    until(lambda: clock.monotonic() >= end, seconds=seconds + 1, every=0.1)
