"""Redis or Valkey: connections that give up quickly, and a way to say "look" that never fails its caller."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Final

from chassis import clock
from chassis.logs import get_logger
from chassis.telemetry.unseen import opentelemetry_unseen

with opentelemetry_unseen():
    import redis
    import redis.asyncio
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError, WatchError

AsyncRedis = redis.asyncio.Redis
SyncRedis = redis.Redis
RedisAway = RedisError
"""What both clients raise when Redis does not answer, or not as it should."""
RedisRaced = WatchError
"""What a transaction raises, a kind of RedisAway, when somebody else changed what it watches."""

_PATIENCE_SECONDS: Final = 0.5
_REST_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 1.0
_KEEPALIVE: Final = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}

log = get_logger(__name__)


def client(url: str) -> SyncRedis:
    """A blocking client; connects when first used, raises RedisError after half a second without an answer."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_PATIENCE_SECONDS,
        socket_timeout=_PATIENCE_SECONDS,
        retry=redis.retry.Retry(NoBackoff(), 0),
        max_connections=16,
    )


def async_client(url: str, patience: float = _PATIENCE_SECONDS) -> AsyncRedis:
    """The same for the event loop; `patience` in seconds."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_connect_timeout=patience,
        socket_timeout=patience,
        retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
        max_connections=64,
    )


class Feed:
    """The change feed: says "look" to whoever waits, in this process or another; nobody may rely on it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = client(url)
        self._resting_until = 0.0

    def tell(self, channel: str, message: str) -> None:
        """Publish, and never raise; after a failure say nothing for two seconds, so that no batch waits in vain."""
        if clock.monotonic() < self._resting_until:
            return
        try:
            self._client.publish(channel, message)
        except RedisError as error:
            self._resting_until = clock.monotonic() + _REST_SECONDS
            log.warning("the change feed is away", error=str(error))

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """What is told from now on, without an end; what is told while Redis is away is lost."""
        while True:
            try:
                async for message in self._subscribed(channel):
                    yield message
            except (RedisError, OSError) as error:
                log.warning("the change feed is away", error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    async def _subscribed(self, channel: str) -> AsyncIterator[str]:
        # No time-out on reading: silence is the rule. A peer that is gone is found by TCP, within eleven seconds.
        listener = redis.asyncio.Redis.from_url(
            self._url,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_keepalive=True,
            socket_keepalive_options=_KEEPALIVE,
        )
        async with listener, listener.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel)
            async for message in subscription.listen():
                yield message["data"].decode(errors="replace")
