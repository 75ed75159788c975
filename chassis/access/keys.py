"""The issuer's keys, kept for as long as they are worth something, and fetched again when it may have new ones."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from chassis import clock
from chassis.access.issuer import Document, IssuerSilent
from chassis.errors import Unauthenticated, Unavailable
from chassis.logs import get_logger

ALGORITHM_OF: Final[Mapping[tuple[str, str], str]] = {
    ("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA",
}  # fmt: skip
"""The one algorithm that goes with a kind of key and curve. The key decides, never the token that names the key."""
FRESH_SECONDS: Final = 300.0
"""After this, keys are fetched again beside the work: one that was withdrawn must not be believed for ever."""
KEPT_SECONDS: Final = 3_600.0
"""For so long the keys are believed while the issuer is silent."""
APART_SECONDS: Final = 5.0
"""Fetches begin at least so long after each other, whatever key ids the world makes up."""
_WEAK_BITS: Final = 2_048

log = get_logger(__name__)


class Keys:
    """Asked on one event loop. `fetch` brings the issuer's key set, and raises IssuerSilent."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Sequence[Document]]], now: Callable[[], float] = clock.monotonic
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._known: dict[str, Document] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._is_silent = False
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0
        """Raised when a key vanished or was replaced: what was believed on its word must be looked at again."""

    async def key_of(self, key_id: str) -> jwt.PyJWK:
        """The key of that name. Raises Unauthenticated when there is none, Unavailable when the issuer is silent."""
        self.refresh()
        if key_id not in self._keys or self._age >= KEPT_SECONDS:
            await self._look_again()
        if self._age >= KEPT_SECONDS:
            raise Unavailable("the issuer of tokens cannot be asked for its keys", retry_after=APART_SECONDS)
        if (key := self._keys.get(key_id)) is not None:
            return key
        if self._is_silent:
            # It may be a new one: whether the token is good cannot be said now.
            raise Unavailable("the issuer of tokens cannot be asked for its keys", retry_after=APART_SECONDS)
        raise Unauthenticated("the token is signed with a key that its issuer does not have")

    def refresh(self) -> None:
        """Fetch beside the work when it is time; costs a comparison when it is not."""
        if self._age >= FRESH_SECONDS:
            self._begin()

    @property
    def _age(self) -> float:
        return self._now() - self._fetched_at

    async def _look_again(self) -> None:
        """Rule (issue: rotation): an unknown key id is a reason to ask, but not whenever somebody says so."""
        self._begin()
        if self._fetching is not None:
            # Shielded: who hangs up must not take the answer away from those who wait for it too.
            await asyncio.shield(self._fetching)

    def _begin(self) -> None:
        if self._fetching is None and self._now() - self._tried_at >= APART_SECONDS:
            self._tried_at = self._now()
            self._fetching = asyncio.get_running_loop().create_task(self._take())

    async def _take(self) -> None:
        try:
            found = _usable(await self._fetch())
        except IssuerSilent as error:
            self._is_silent = True
            log.warning("the issuer's keys cannot be fetched", reason=str(error))
        else:
            self._accept(found)
        finally:
            self._fetching = None

    def _accept(self, found: Mapping[str, tuple[Document, jwt.PyJWK]]) -> None:
        known = {key_id: document for key_id, (document, _) in found.items()}
        if any(known.get(key_id) != document for key_id, document in self._known.items()):
            self.generation += 1
        self._known = known
        self._keys = {key_id: key for key_id, (_, key) in found.items()}
        self._fetched_at, self._is_silent = self._now(), False


def _usable(documents: Sequence[Document]) -> dict[str, tuple[Document, jwt.PyJWK]]:
    """Those for signatures that we verify, by key id; a set may hold others, which are no concern of ours."""
    found: dict[str, tuple[Document, jwt.PyJWK]] = {}
    for document in documents:
        key_id = document.get("kid")
        if isinstance(key_id, str) and document.get("use", "sig") == "sig" and (key := _key(document)) is not None:
            found[key_id] = document, key
    return found


def _key(document: Document) -> jwt.PyJWK | None:
    algorithm = ALGORITHM_OF.get((str(document.get("kty")), str(document.get("crv", ""))))
    if algorithm is None or document.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK.from_dict(_public(document), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return None if isinstance(key.key, RSAPublicKey) and key.key.key_size < _WEAK_BITS else key


def _public(document: Document) -> dict[str, Any]:
    """Without what an issuer should never have shown; PyJWT would make a private key of it."""
    return {name: value for name, value in document.items() if name in ("kty", "crv", "kid", "n", "e", "x", "y")}
