"""A cache in Redis for answers that cost a scan; without Redis nothing is kept."""

from typing import Any, Final

import orjson

from chassis.redis import AsyncRedis, RedisAway
from order_service.reports.adapters.pause import Pause

_PREFIX: Final = "orders:{reports}:cache:"


class RedisCache:
    """Keeps JSON under keys that name all that the answer depends on."""

    def __init__(self, client: AsyncRedis) -> None:
        self._client = client
        self._pause = Pause()

    async def find(self, key: str) -> Any:
        """What was kept under this key, or None."""
        if self._pause.is_on:
            return None
        try:
            kept = await self._client.get(_PREFIX + key)
        except RedisAway as error:
            self._pause.begin(error)
            return None
        return None if kept is None else orjson.loads(kept)

    async def keep(self, key: str, value: Any, seconds: int) -> None:
        """Keep it for so long."""
        if self._pause.is_on:
            return
        try:
            await self._client.set(_PREFIX + key, orjson.dumps(value), ex=seconds)
        except RedisAway as error:
            self._pause.begin(error)
