"""A storm of retries: what is served is served in time, and nothing is spent on those who have given up."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

from gateway.rest.batches import Batches, Bounds
from gateway.rest.problems import Problem

PER_SECOND = 100
BATCH = 10
PATIENCE_SECONDS = 0.5
"""Of a client; then it has gone, and asks again."""


class Service:
    """Manages so many orders a second, one batch after the other, whoever still waits for them."""

    def __init__(self) -> None:
        self.stored = 0

    async def __call__(self, message: Sequence[Any], **options: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(len(message) / PER_SECOND)
        self.stored += len(message)
        yield SimpleNamespace(results=[SimpleNamespace(index=place, final=True) for place in range(len(message))])


class Storm:
    """Clients that wait for half a second, and try again at once when that was in vain or they were refused."""

    def __init__(self, queue_seconds: float) -> None:
        self.service = Service()
        bounds = Bounds(in_flight=1, batch=BATCH, waiting=1_000_000, queue_seconds=queue_seconds)
        self.batches = Batches(self.service, lambda entries: entries, bounds)
        self.in_time = self.refused = 0
        self.late: list[asyncio.Future[Any]] = []

    async def rage(self, clients: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._client(until) for _ in range(clients)))

    async def _client(self, until: float) -> None:
        while time.monotonic() < until:
            # As with HTTP, the gateway does not hear that a client has given up.
            asked = asyncio.ensure_future(self.batches.result_of({}, 100, 15.0))
            done, _ = await asyncio.wait([asked], timeout=PATIENCE_SECONDS)
            if not done:
                self.late.append(asked)
            elif isinstance(asked.exception(), Problem):
                self.refused += 1
                await asyncio.sleep(0.02)
            else:
                self.in_time += 1


def survived(queue_seconds: float) -> Storm:
    """Twenty times as many clients as can be served, for two seconds."""

    async def run() -> Storm:
        storm = Storm(queue_seconds)
        await storm.rage(clients=200, seconds=2.0)
        await asyncio.gather(*storm.late, return_exceptions=True)
        return storm

    return asyncio.run(run())


def test_a_storm_of_retries_takes_nothing_from_those_who_are_served() -> None:
    storm = survived(queue_seconds=0.2)

    assert storm.in_time >= 0.7 * storm.service.stored
    assert storm.in_time >= 0.5 * PER_SECOND * 2
    assert storm.refused > storm.in_time


def test_with_a_queue_as_long_as_it_likes_most_of_the_work_is_for_nobody() -> None:
    """The simpler one, which loses: the test above would not see a bound that does nothing."""
    storm = survived(queue_seconds=1_000)

    assert storm.in_time < 0.5 * storm.service.stored
