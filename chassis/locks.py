"""The distributed lock of the field, for efficiency only: who is at it already spares the others the attempt.

Correctness never rests on it: rows are locked in Postgres. So when Redis is away the lock is left out, and counted.
Source of the technique: https://redis.io/docs/latest/develop/use/patterns/distributed-locks/ (single instance).
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from chassis import clock
from chassis.errors import LockConflict
from chassis.logs import get_logger
from chassis.metrics import counter
from chassis.redis import AsyncRedis, RedisAway

_FIRST_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.1

_RELEASE: Final = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""
"""A lock whose time is over may be somebody else's by now: only ours are deleted."""

log = get_logger(__name__)


class RedisLock:
    """Locks of one context. A holder that dies loses its locks after `ttl_ms`."""

    def __init__(self, client: AsyncRedis, context: str) -> None:
        self._client = client
        self._prefix = f"{context}:lock:"
        self._release = client.register_script(_RELEASE)
        outcomes = counter(context, "lock_attempts", "Attempts to take locks by how they ended", "outcome")
        self._taken, self._busy, self._left_out = (outcomes.labels(name) for name in ("taken", "busy", "left_out"))

    @asynccontextmanager
    async def acquire_many(self, keys: Iterable[str], ttl_ms: int = 5_000, wait_ms: int = 500) -> AsyncIterator[None]:
        """Hold all of `keys`, or raise LockConflict when they are not free within `wait_ms`, holding none.

        Without an answer from Redis the work goes on without the lock.
        """
        token = secrets.token_hex(16)
        # In ascending order, so that two who want the same never hold half each.
        names = [f"{self._prefix}{key}" for key in sorted(set(keys))]
        is_held = True
        try:
            is_held = await self._take_all(names, token, ttl_ms, clock.monotonic() + wait_ms / 1000)
            yield
        finally:
            if is_held:
                await self._give_back(names, token)

    async def _take_all(self, names: Sequence[str], token: str, ttl_ms: int, until: float) -> bool:
        try:
            for name in names:
                await self._take(name, token, ttl_ms, until)
        except RedisAway as error:
            self._left_out.inc()
            log.warning("lock left out, redis is away", error=str(error))
            return False
        self._taken.inc()
        return True

    async def _take(self, name: str, token: str, ttl_ms: int, until: float) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not await self._client.set(name, token, nx=True, px=ttl_ms):
            if clock.monotonic() + pause > until:
                self._busy.inc()
                raise LockConflict("somebody else is at the same thing; try again shortly")
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _give_back(self, names: Sequence[str], token: str) -> None:
        try:
            await self._release(keys=names, args=[token])
        except RedisAway as error:
            log.debug("locks run out by themselves, redis is away", error=str(error))
