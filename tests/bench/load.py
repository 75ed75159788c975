"""The built-in load generator: HTTP/1.1 over plain sockets, as few instructions per request as Python allows."""

import asyncio
import random
import re
import resource
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chassis import clock
from tests.bench.mix import HAPPY, Kind, Mix, short_sku, sku

BODY = '{{"customer_id":"{customer}","idempotency_key":"{key}","items":[{items}],"payment_method":"{method}"{more}}}'
SKUS = 200
LINES = 3
NOBODY: Mapping[str, str] = {}
"""Nobody shows anything."""
_ID = re.compile(rb'"id":"([^"]+)"')


@dataclass
class Answers:
    """What came back, and how long it took, in seconds."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    elapsed: float = 0.0
    cpu: float = 0.0

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


class _Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time, answered when the whole answer is in."""

    def __init__(self) -> None:
        self._received = b""
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        start = lowered.index(b"content-length:") + 15
        if len(body) >= int(lowered[start:].split(b"\r", 1)[0]):
            self._received = b""
            if self._answered is not None and not self._answered.done():
                self._answered.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionResetError("the gateway closed the connection"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises OSError when there is none."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionResetError("the gateway closed the connection")
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered


class Load:
    """Places orders of three lines each; `prefer` is the Prefer header, empty for the default wait.

    `bearers` is what customers show, by their ids.
    """

    def __init__(
        self,
        port: int,
        prefer: str,
        run: str,
        mix: Mix = HAPPY,
        bearers: Mapping[str, str] = NOBODY,
        skus: int = SKUS,
    ) -> None:
        self._port = port
        self._skus = skus
        self._bearers = bearers
        self._run = run
        self._mix = mix
        self._rest = "HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        self._rest += f"Prefer: {prefer}\r\n" if prefer else ""
        self._random = random.Random(7)
        self._numbers = 0

    def request(self) -> tuple[Kind, bytes]:
        """The next order, with a key of its own."""
        self._numbers += 1
        kind = self._mix[self._numbers % len(self._mix)]
        lines = [(sku(number), 1 + number % 3) for number in self._random.sample(range(self._skus), LINES)]
        if kind.short:
            lines[0] = (short_sku(kind.short, self._numbers), 1)
        customer = f"{kind.customer}-{self._numbers % 997}"
        body = BODY.format(
            customer=customer,
            key=f"{self._run}.{kind.name}.{self._numbers}",
            items=",".join(f'{{"sku":"{name}","quantity":{pieces}}}' for name, pieces in lines),
            method=kind.payment_method,
            more=kind.more,
        )
        return kind, self._post("/api/v1/orders", body, self._bearers.get(customer, ""))

    def _post(self, path: str, body: str, bearer: str = "") -> bytes:
        shown = f"Authorization: {bearer}\r\n" if bearer else ""
        return f"POST {path} {self._rest}{shown}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    async def _open(self) -> _Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        return protocol

    async def closed_loop(self, seconds: float, connections: int = 64) -> Answers:
        """As fast as answers come, on so many connections."""
        answers, until = Answers(), clock.monotonic() + seconds

        async def one() -> None:
            connection = await self._open()
            while clock.monotonic() < until:
                await self._timed(connection, answers)

        await self._measured(answers, lambda: asyncio.gather(*(one() for _ in range(connections))))
        return answers

    async def open_loop(self, seconds: float, per_second: float, connections: int = 256) -> Answers:
        """At a steady rate, whatever the answers do, on a pool of connections."""
        answers = Answers()
        free: asyncio.Queue[_Connection] = asyncio.Queue()
        for _ in range(connections):
            free.put_nowait(await self._open())

        async def one(due: float) -> None:
            connection = await free.get()
            try:
                await self._timed(connection, answers, due)
            except OSError:
                answers.statuses[0] += 1
                connection = await self._open()
            free.put_nowait(connection)

        async def steadily() -> None:
            started, under_way = clock.monotonic(), []
            for number in range(int(seconds * per_second)):
                due = started + number / per_second
                await asyncio.sleep(max(0.0, due - clock.monotonic()))
                under_way.append(asyncio.create_task(one(due)))
            await asyncio.gather(*under_way)

        await self._measured(answers, steadily)
        return answers

    async def _timed(self, connection: _Connection, answers: Answers, due: float | None = None) -> None:
        started = due or clock.monotonic()
        kind, request = self.request()
        status, body = await connection.ask(request)
        answers.statuses[status] += 1
        answers.seconds.append(clock.monotonic() - started)
        if kind.is_cancelled and (found := _ID.search(body)):
            await connection.ask(self._post(f"/api/v1/orders/{found[1].decode()}/cancel", "{}"))

    @staticmethod
    async def _measured(answers: Answers, work: Callable[[], object]) -> None:
        started, used = clock.monotonic(), _own_cpu()
        await work()  # type: ignore[misc]
        answers.elapsed, answers.cpu = clock.monotonic() - started, _own_cpu() - used


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
