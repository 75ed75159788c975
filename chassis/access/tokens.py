"""Tokens (JWT) verified: by whom, for whom, when, with which key; each once, then known by its sum until it expires."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import jwt

from chassis import clock
from chassis.access.caller import Caller
from chassis.access.claims import ClaimNames, caller_from
from chassis.access.keys import ALGORITHM_OF, Keys
from chassis.errors import Unauthenticated

LARGEST_TOKEN: Final = 16 << 10
"""Bytes; a longer one is not looked at."""
KNOWN_TOKENS: Final = 20_000
"""Verified tokens that are remembered; the oldest give way (promise P11)."""
_SCHEME: Final = "bearer "
_ALGORITHMS: Final = frozenset(ALGORITHM_OF.values())
_DEMANDED: Final = ["exp", "iss", "aud", "sub"]
_NONSENSE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

_SENTENCES: Final[Mapping[type[Exception], str]] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token was made for somebody else",
    jwt.InvalidIssuerError: "the token is from another issuer",
    jwt.MissingRequiredClaimError: "the token lacks one of exp, iss, aud, sub",
    jwt.InvalidSignatureError: "the token's signature is wrong",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Which tokens are believed; `skew` in seconds."""

    issuer: str
    audience: str
    skew: float = 30.0
    names: ClaimNames = field(default_factory=ClaimNames)


def _unix_seconds() -> float:
    return clock.unix_ms() / 1000


class Tokens:
    """Makes callers of `authorization` headers. Used on one event loop."""

    def __init__(
        self, rules: Rules, keys: Keys, known: int = KNOWN_TOKENS, now: Callable[[], float] = _unix_seconds
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._most = known
        self._now = now
        self._known: dict[bytes, Caller] = {}
        self._generation = keys.generation

    async def caller_of(self, authorization: str) -> Caller:
        """Who calls. Raises Unauthenticated, PermissionDenied (no role of ours), Unavailable (issuer silent)."""
        token = _bearer(authorization)
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (caller := self._remembered(name)) is not None:
            return caller
        generation = self._keys.generation
        caller = caller_from(await self._claims_of(token), self._rules.names)
        if generation == self._keys.generation:
            self._remember(name, caller)
        return caller

    def _remembered(self, name: bytes) -> Caller | None:
        self._keys.refresh()
        if self._generation != self._keys.generation:
            # Rule (issue: rotation): what a withdrawn key has signed is not believed any longer.
            self._known.clear()
            self._generation = self._keys.generation
        caller = self._known.get(name)
        if caller is None or self._now() < caller.expires_at + self._rules.skew:
            return caller
        del self._known[name]
        return None

    def _remember(self, name: bytes, caller: Caller) -> None:
        if len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[name] = caller

    async def _claims_of(self, token: str) -> Mapping[str, Any]:
        algorithm, key_id = _header_of(token)
        key = await self._keys.key_of(key_id)
        if key.algorithm_name != algorithm:
            raise Unauthenticated("the token's algorithm is not that of its key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                leeway=self._rules.skew,
                options={"require": _DEMANDED},
            )
            # Numbers that are none of our time are nonsense too.
            claims["exp"] = float(claims["exp"])
        except _NONSENSE as error:
            _refuse(error)
        return claims


def _bearer(authorization: str) -> str:
    if not authorization:
        raise Unauthenticated("this call needs a token")
    if len(authorization) > LARGEST_TOKEN + len(_SCHEME):
        raise Unauthenticated(f"a token has at most {LARGEST_TOKEN:,} bytes")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("the Authorization header is not `Bearer` and a token")
    return authorization[len(_SCHEME) :].strip()


def _header_of(token: str) -> tuple[str, str]:
    """Algorithm and key id; the rest of the header (jku, jwk, x5u, x5c) is nobody's word but the bearer's."""
    try:
        header = jwt.get_unverified_header(token)
    except _NONSENSE as error:
        _refuse(error)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise Unauthenticated(f"a token is signed with one of {', '.join(sorted(_ALGORITHMS))}")
    if not isinstance(key_id, str) or not key_id:
        raise Unauthenticated("the token does not name the key that it is signed with")
    return algorithm, key_id


def _refuse(error: Exception) -> NoReturn:
    """In words of our own: those of libraries may quote the token."""
    sentence = next((text for kind, text in _SENTENCES.items() if isinstance(error, kind)), "the token cannot be read")
    raise Unauthenticated(sentence) from None
