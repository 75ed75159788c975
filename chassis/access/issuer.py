"""The issuer of tokens, asked over HTTP: what its discovery document says, and its keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from chassis.addresses import is_loopback

_SECONDS: Final = 3.0
_LARGEST: Final = 1 << 20
_DISCOVERY: Final = "/.well-known/openid-configuration"

Document = Mapping[str, Any]


class IssuerSilent(Exception):
    """The issuer was asked, and gave no answer that makes sense."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Where the issuer is. Addresses that are not given are those that its discovery document names."""

    name: str
    jwks_url: str = ""
    token_url: str = ""

    async def keys(self) -> list[Document]:
        """The keys (JWK) that it signs with now. Raises IssuerSilent."""
        keys = (await _asked("GET", self.jwks_url or await self._discovered("jwks_uri"))).get("keys")
        if not isinstance(keys, list):
            raise IssuerSilent("the issuer's key set has no keys")
        return [key for key in keys if isinstance(key, dict)]

    async def token(self, client_id: str, secret: str) -> Document:
        """A token for a client of its own (RFC 6749, section 4.4). Raises IssuerSilent."""
        url = self.token_url or await self._discovered("token_endpoint")
        return await _asked("POST", url, (client_id, secret))

    async def _discovered(self, name: str) -> str:
        document = await _asked("GET", self.name.rstrip("/") + _DISCOVERY)
        if document.get("issuer") != self.name:
            raise IssuerSilent("the issuer's discovery document is another issuer's")
        url = str(document.get(name) or "")
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise IssuerSilent(f"the issuer's discovery document names no safe {name}")
        return url


async def _asked(verb: str, url: str, client: tuple[str, str] | None = None) -> Document:
    """The JSON object that is answered; never more of it than is bearable."""
    is_near = is_loopback(urlsplit(url).hostname or "")
    form = {"grant_type": "client_credentials"} if client else None
    try:
        async with (
            httpx.AsyncClient(timeout=_SECONDS, trust_env=not is_near) as http,
            http.stream(verb, url, data=form, auth=client) as answer,
        ):
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise IssuerSilent(f"{url} answers with more than {_LARGEST} bytes")
        document = orjson.loads(body) if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError) as error:
        raise IssuerSilent(f"{url}: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise IssuerSilent(f"{url} answers {answer.status_code}")
    return document
