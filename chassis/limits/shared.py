"""Debts of callers in Redis, common to all processes: one script counts for many callers in one round trip.

The technique is that of `redis-cell` (GCRA, one number a caller that expires by itself), as a script of our own: for
many keys at once, and for several requests of each. Time is that of Redis: the clocks of our processes may differ.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from chassis.limits.rates import MINUTE
from chassis.redis import async_client

PATIENCE_SECONDS: Final = 0.1
"""A Redis that takes longer is away: requests wait for this answer."""

_TAKE: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers = {{}}
for place, key in ipairs(KEYS) do
  local interval, asks = tonumber(ARGV[2 * place - 1]), tonumber(ARGV[2 * place])
  local known = math.max(tonumber(redis.call('GET', key) or 0) - now, 0)
  local debt = math.min(known, {MINUTE})
  local admitted = math.max(0, math.min(asks, math.floor(({MINUTE} - debt) / interval)))
  if admitted > 0 or debt < known then
    debt = debt + admitted * interval
    redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
  end
  answers[2 * place - 1], answers[2 * place] = admitted, debt
end
return answers
"""


class Ask(NamedTuple):
    """So many requests of one caller, each of which costs `interval` microseconds."""

    key: str
    interval: int
    asks: int


class Debts(Protocol):
    """What is common to all processes. Methods raise RedisAway."""

    async def take(self, asked: Sequence[Ask]) -> list[tuple[int, int]]:
        """For each caller how many requests may go on, and what is owed after them."""

    async def close(self) -> None:
        """Let it go."""


class SharedDebts:
    """Used on one event loop. Methods raise RedisAway."""

    def __init__(self, url: str) -> None:
        self._client = async_client(url, patience=PATIENCE_SECONDS)
        self._script = self._client.register_script(_TAKE)

    async def take(self, asked: Sequence[Ask]) -> list[tuple[int, int]]:
        """For each caller how many requests may go on, and what is owed after them; nobody asked: whether it answers.

        A debt of more than a minute is none of ours: it is written down as one of a minute, so that a Redis whose
        clock was set back shuts nobody out for longer.
        """
        arguments: list[Any] = [number for ask in asked for number in (ask.interval, ask.asks)]
        answers = await self._script(keys=[ask.key for ask in asked], args=arguments)
        return list(zip(answers[::2], answers[1::2], strict=True))

    async def close(self) -> None:
        """Let the connection go."""
        await self._client.aclose()
