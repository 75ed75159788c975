"""Webhooks of the simulated suppliers, as real ones send them: signed, and again while they are not taken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from chassis.errors import NotFound, Unavailable
from chassis.logs import get_logger
from chassis.webhooks import WebhookSecret
from supplier_service.simulator.journal import Journal, reference_of

Post = Callable[[str, str, str, bytes], Awaitable[None]]
"""`post(supplier, timestamp, signature, body)` brings a message to the door; raises what is worth another try."""

_TRIES: Final = 6
_FIRST_PAUSE: Final = 0.2
_ODD: Final = frozenset("13579bdf")

log = get_logger(__name__)


def delivered(key: str) -> bytes:
    """The message that the goods of a supplier order are there; half of them name it as the supplier itself does."""
    name = {"ref": reference_of(key)} if key[-1:] in _ODD else {"reference": key}
    return orjson.dumps(name | {"status": "ok"})


def failed(key: str) -> bytes:
    """The message that they will not come: what a forger would have it say."""
    return orjson.dumps({"reference": key, "status": "fail"})


class Webhooks:
    """Tells by webhook what was delivered. What is lost with this process is found by the next check."""

    def __init__(self, journal: Journal, secret: WebhookSecret, post: Post, loop: asyncio.AbstractEventLoop) -> None:
        self._journal = journal
        self._secret = secret
        self._post = post
        self._loop = loop

    def deliver_later(self, supplier: str, key: str, seconds: float) -> None:
        """Send goods and message after so long; from any thread."""
        asyncio.run_coroutine_threadsafe(self._deliver(supplier, key, seconds), self._loop)

    async def _deliver(self, supplier: str, key: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            if await self._journal.deliver(key):
                await self._tell(supplier, delivered(key))
        except Unavailable as error:
            log.warning("a simulated delivery was not told", supplier_order_id=key, error=str(error))

    async def _tell(self, supplier: str, body: bytes) -> None:
        for attempt in range(_TRIES):
            try:
                await self._post(supplier, *self._secret.signed_now(body), body)
            except (NotFound, Unavailable):
                await asyncio.sleep(_FIRST_PAUSE * 2**attempt)
            else:
                return
