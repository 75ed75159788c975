"""The token that a service shows to other services (OAuth 2.0 client credentials), got again before it expires."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from chassis import clock
from chassis.access.issuer import Document, Issuer, IssuerSilent
from chassis.access.settings import AccessSettings
from chassis.errors import Unavailable
from chassis.logs import get_logger

_USED_SHARE: Final = 0.8
"""Of a token's life; then the next one is fetched, beside the work."""
_APART_SECONDS: Final = 2.0
_USUAL_SECONDS: Final = 60.0
"""The life of a token whose issuer does not tell."""

log = get_logger(__name__)


class ServiceToken:
    """Used on one event loop. `ask` brings a token response (RFC 6749, section 5.1), and raises IssuerSilent."""

    def __init__(self, ask: Callable[[], Awaitable[Document]], now: Callable[[], float] = clock.monotonic) -> None:
        self._ask = ask
        self._now = now
        self._header = ""
        self._renew_at = self._ends_at = self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: AccessSettings) -> "ServiceToken | None":
        """The token that the settings give this service; None where it has none, or callers are not asked."""
        if not (settings.asks_callers and settings.oidc_client_id):
            return None
        issuer = Issuer(settings.oidc_issuer, token_url=settings.oidc_token_url)
        return cls(lambda: issuer.token(settings.oidc_client_id, settings.oidc_client_secret))

    async def header(self) -> str:
        """What goes into `authorization`. Raises Unavailable while there is none to be had."""
        now = self._now()
        if now >= self._renew_at:
            self._begin(now)
            if now >= self._ends_at and self._asking is not None:
                await asyncio.shield(self._asking)
        if self._now() >= self._ends_at:
            raise Unavailable("the issuer of tokens cannot be asked for one", retry_after=_APART_SECONDS)
        return self._header

    async def at_hand(self) -> str:
        """The same for who can do without: nothing while there is none. Only the very first one is waited for."""
        now = self._now()
        if now >= self._renew_at:
            self._begin(now)
        if not self._header and self._asking is not None:
            await asyncio.shield(self._asking)
        return self._header if self._now() < self._ends_at else ""

    def _begin(self, now: float) -> None:
        if self._asking is None and now - self._asked_at >= _APART_SECONDS:
            self._asked_at = now
            self._asking = asyncio.get_running_loop().create_task(self._take())

    async def _take(self) -> None:
        try:
            answer = await self._ask()
            token, seconds = answer["access_token"], float(answer.get("expires_in", _USUAL_SECONDS))
        except (IssuerSilent, KeyError, TypeError, ValueError) as error:
            log.warning("no token of our own", reason=f"{type(error).__name__}: {error}")
        else:
            self._header = f"Bearer {token}"
            self._renew_at, self._ends_at = self._asked_at + seconds * _USED_SHARE, self._asked_at + seconds
        finally:
            self._asking = None
