"""Webhooks of a simulated party: signed, tried again while nobody takes them, unreliable as it is switched."""

import asyncio
from typing import Final

import httpx

from chassis import tracing
from chassis.logs import get_logger
from chassis.outside import Lines
from chassis.simulation.switch import Switch
from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret

_MOST_WAITING: Final = 10_000
_AT_ONCE: Final = 4
_TRIES: Final = 8
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_HELD_BACK_SECONDS: Final = 0.5
_TIMEOUT: Final = 5.0
_PATIENCE: Final = 60.0
"""How long a message waits for its turn before that counts as a try."""
_NOT_THE_SECRET: Final = WebhookSecret("whoever knows this is not the sender")
_FOR_GOOD: Final = frozenset({400, 401, 403, 405, 413, 415, 422})
"""Answers that another try would not change."""

log = get_logger(__name__)


class WebhookSender:
    """Brings messages to a door over HTTP. What is lost with this process is found by who asks; so it may be lost."""

    def __init__(self, door: str, secret: str, switch: Switch) -> None:
        """`door` is the URL before the path; without a secret nothing is sent, as nobody would take it."""
        self._secret = WebhookSecret(secret)
        self._is_signing = bool(secret)
        self._switch = switch
        self._lines = Lines(door, _AT_ONCE, {"content-type": "application/json"})
        self._waiting: set[asyncio.Task[None]] = set()

    def tell(self, path: str, body: bytes, *, after_seconds: float = 0.0, lie: bytes | None = None) -> None:
        """Send a message, at once or later, without waiting for it; `lie` is what a forger would have it say."""
        if not self._is_signing:
            return
        told, pause = self._switch.behaviour, after_seconds + self._switch.behaviour.webhooks_delayed_ms / 1000
        if self._switch.falls(told.webhooks_reordered):
            pause += _HELD_BACK_SECONDS
        if self._switch.falls(told.webhooks_forged):
            self._begin(path, body if lie is None else lie, after_seconds, _NOT_THE_SECRET)
        for _ in range(2 if self._switch.falls(told.webhooks_duplicated) else 1):
            self._begin(path, body, pause, self._secret)

    async def close(self) -> None:
        """Drop what was not taken, and let go of the connections."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        await self._lines.close()

    def _begin(self, path: str, body: bytes, pause: float, secret: WebhookSecret) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            log.warning("a webhook was dropped: too many wait", path=path)
            return
        task = asyncio.create_task(self._bring(path, body, pause, secret))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _bring(self, path: str, body: bytes, pause: float, secret: WebhookSecret) -> None:
        await asyncio.sleep(pause)
        for attempt in range(_TRIES):
            status = await self._post(path, body, secret)
            if status is not None and (status < 300 or status in _FOR_GOOD):
                if status >= 300 and secret is self._secret:
                    log.warning("a webhook was refused", path=path, status=status)
                return
            await asyncio.sleep(min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE))
        log.warning("a webhook was dropped: nobody took it", path=path, tries=_TRIES)

    async def _post(self, path: str, body: bytes, secret: WebhookSecret) -> int | None:
        """What is answered; None: nobody answered."""
        timestamp, signature = secret.signed_now(body)
        headers = {
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature,
            "traceparent": tracing.child_of(tracing.current.get()),
        }
        try:
            async with self._lines.free(_PATIENCE) as line, asyncio.timeout(_TIMEOUT):
                return (await line.post(path, content=body, headers=headers)).status_code
        except (httpx.HTTPError, TimeoutError):
            return None
