"""The door of a process: finds out who calls, asks the method's policy, and leaves the caller where all can see it."""

from collections.abc import Sequence

from chassis.access.caller import ANYBODY, NOBODY, Caller, current
from chassis.access.claims import ClaimNames
from chassis.access.issuer import Issuer
from chassis.access.keys import Keys
from chassis.access.policy import Policy
from chassis.access.settings import AccessSettings
from chassis.access.tokens import Rules, Tokens
from chassis.errors import Refusal, Unauthenticated


class Gate:
    """The door of one method."""

    __slots__ = ("_policy", "_tokens")

    def __init__(self, tokens: Tokens, policy: Policy) -> None:
        self._tokens = tokens
        self._policy = policy

    async def enter(self, authorization: str) -> None:
        """Make who calls the current caller. Raises Unauthenticated, PermissionDenied, or Unavailable."""
        current.set(await self._caller(authorization))

    async def _caller(self, authorization: str) -> Caller:
        if self._policy.is_open or (self._policy.is_by_entry and not authorization):
            return NOBODY
        caller = await self._tokens.caller_of(authorization)
        self._policy.admit(caller)
        return caller


class Door:
    """Open to everybody when there are no tokens to be asked for (AUTH=off)."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    @classmethod
    def of(cls, settings: AccessSettings) -> "Door":
        """The door that the settings ask for."""
        if not settings.asks_callers:
            return cls()
        issuer = Issuer(settings.oidc_issuer, settings.oidc_jwks_url)
        names = ClaimNames(settings.oidc_roles_claim, settings.oidc_customer_claim)
        rules = Rules(settings.oidc_issuer, settings.oidc_audience, settings.oidc_clock_skew_seconds, names)
        return cls(Tokens(rules, Keys(issuer.keys)))

    def gate(self, policy: Policy) -> Gate | None:
        """The gate of a method; None where nobody is asked who they are."""
        return Gate(self._tokens, policy) if self._tokens is not None else None

    async def callers_of(self, authorizations: Sequence[str], policy: Policy) -> Sequence[Caller | Refusal]:
        """The caller of each entry of a batch, or why there is none; a token costs once, however often it comes.

        Rule (protocols: placing): each entry carries its caller's token. One without is its batch's own caller's,
        where the batch has one: a gateway that forgets to pass tokens on places nothing.
        """
        if self._tokens is None:
            return [ANYBODY] * len(authorizations)
        known = {
            authorization: await self._entry_caller(self._tokens, authorization, policy)
            for authorization in dict.fromkeys(authorizations)
        }
        return [known[authorization] for authorization in authorizations]

    async def _entry_caller(self, tokens: Tokens, authorization: str, policy: Policy) -> Caller | Refusal:
        try:
            caller = await tokens.caller_of(authorization) if authorization else current.get()
            if caller is NOBODY:
                raise Unauthenticated("this entry needs a token")
            policy.admit(caller)
        except Refusal as refusal:  # an answer to these entries alone
            return refusal
        return caller
