"""What watching costs: thousands of idle streams at the gateway, and how soon a change reaches a watcher."""

import asyncio
import json
import resource
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from chassis import clock
from tests.bench import table
from tests.bench.processes import cpu_seconds
from tests.bench.system import CUSTOMERS, Run, System, settled
from tests.bench.table import Part, row, spread

IDLE: Final = 5_000
WATCHED: Final = 200
"""Of the customers who place orders; each is watched by one."""
_RATE: Final = 300.0
_OPENING: Final = 100


@dataclass(eq=False)
class Ear(asyncio.Protocol):
    """One client that watches: how long after each change it heard of it, in milliseconds."""

    path: str
    begun: "asyncio.Future[None]"
    delays: list[float] = field(default_factory=list)
    rest: bytes = b""
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Asks."""
        self.transport = transport
        transport.write(b"GET %b HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n" % self.path.encode())

    def data_received(self, data: bytes) -> None:
        """Notes what the stream says."""
        now = clock.now()
        self.rest += data
        *whole, self.rest = self.rest.split(b"\n")
        for line in whole:
            if line.startswith(b"data: "):
                # When the batch that made the change began; the commit came later.
                at = datetime.fromisoformat(json.loads(line[6:])["at"])
                self.delays.append((now - at).total_seconds() * 1000)
            elif line.startswith(b"retry: ") and not self.begun.done():
                self.begun.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """It should not have ended."""
        if not self.begun.done():
            self.begun.set_exception(error or ConnectionError("the stream did not begin"))


class Audience:
    """All who watch, on a loop in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.ears: list[Ear] = []

    def watch(self, paths: list[str]) -> list[Ear]:
        """A stream for each."""
        ears = asyncio.run_coroutine_threadsafe(self._watch(paths), self._loop).result(120)
        self.ears += ears
        return ears

    def leave(self) -> None:
        """All of them go."""
        for ear in self.ears:
            self._loop.call_soon_threadsafe(ear.transport.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _watch(self, paths: list[str]) -> list[Ear]:
        doors = asyncio.Semaphore(_OPENING)

        async def one(path: str) -> Ear:
            async with doors:
                ear = Ear(path, self._loop.create_future())
                await self._loop.create_connection(lambda: ear, "127.0.0.1", self._port)
                await ear.begun
            return ear

        return await asyncio.gather(*map(one, paths))


def measure(system: System, seconds: float, say: Callable[[str], None]) -> Part:
    """A warm system at 300 orders/s: unwatched, watched by a few, and by these beside thousands of idle streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    system.saturate(3, "respond-async")
    settled(2)
    say("300 orders/s, nobody watches")
    alone = system.steady(seconds, "respond-async", _RATE)
    audience = Audience(system.port)
    say(f"300 orders/s, {WATCHED} customers watched")
    ears = audience.watch([_path(f"c-{number}") for number in range(0, CUSTOMERS, CUSTOMERS // WATCHED)][:WATCHED])
    few, heard = _heard(system, seconds, ears)
    say(f"{IDLE:,} idle streams")
    before = system.memory()
    audience.watch([_path(f"idle-{number}") for number in range(IDLE)])
    settled(5)
    memory = system.memory()
    idle = _idle_percent(system)
    say(f"300 orders/s, {WATCHED} customers watched beside {IDLE:,} idle streams")
    many, heard_beside = _heard(system, seconds, ears)
    audience.leave()
    grown = {name: memory[name] - before[name] for name in ("gateway", "order_service")}
    return _part(alone, few, many, heard, heard_beside, grown, idle)


def _heard(system: System, seconds: float, ears: list[Ear]) -> tuple[Run, list[float]]:
    for ear in ears:
        ear.delays.clear()
    run = system.steady(seconds, "respond-async", _RATE)
    settled(1)
    return run, [delay for ear in ears for delay in ear.delays]


def _idle_percent(system: System, seconds: float = 20.0) -> dict[str, float]:
    before = cpu_seconds(system.pids)
    settled(seconds)
    after = cpu_seconds(system.pids)
    return {name: (after[name] - before[name]) / seconds * 100 for name in before}


def _part(
    alone: Run, few: Run, many: Run, heard: list[float], beside: list[float], grown: dict[str, float],
    idle: dict[str, float],
) -> Part:  # fmt: skip
    lines = [
        "", f"Watching, at {_RATE:g} orders/s; from the beginning of a change to its arrival",
        row(f"{WATCHED} watched: p50 / p99, ms", _p50_p99(heard), "p50 <= 50"),
        row(f"  beside {IDLE:,} idle streams", _p50_p99(beside), "p50 <= 50"),
        row("  events heard", f"{len(heard):,} / {len(beside):,}"),
        row("CPU per order, us: unwatched", f"{alone.cpu_per_order:,.0f}"),
        row(f"  {WATCHED} watched", f"{few.cpu_per_order:,.0f}"),
        row(f"  beside {IDLE:,} idle streams", f"{many.cpu_per_order:,.0f}"),
        row(f"{IDLE:,} idle streams: gateway, MB more", f"{grown['gateway']:,.0f}", "<= 150"),
        row("  order service, MB more", f"{grown['order_service']:,.0f}"),
        row("  gateway / order service, % of one core", f"{idle['gateway']:.1f} / {idle['order_service']:.1f}"),
    ]  # fmt: skip
    figures = {
        "live": {
            "delays_ms": _quantiles(heard), "delays_beside_idle_ms": _quantiles(beside), "idle_mb": grown,
            "idle_percent": idle, "runs": table.as_json([alone, few, many]),
        }
    }  # fmt: skip
    return Part(lines, figures)


def _path(customer_id: str) -> str:
    return f"/api/v1/customers/{customer_id}/events"


def _quantiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=100)


def _p50_p99(values: list[float]) -> str:
    found = _quantiles(values)
    return f"{spread([found[49]], 1)} / {spread([found[98]], 1)}"
