"""The door of a process: finds out who calls, asks the method's policy, and leaves the caller where all can see it."""

from collections.abc import Sequence

from chassis.access.caller import ANYBODY, NOBODY, Caller, current
from chassis.access.claims import ClaimNames
from chassis.access.issuer import Issuer
from chassis.access.keys import Keys
from chassis.access.policy import Policy
from chassis.access.service_token import ServiceToken
from chassis.access.settings import AccessSettings
from chassis.access.tokens import Rules, Tokens
from chassis.errors import Refusal, Unauthenticated
from chassis.limits.limits import Limits, refusal, was_counted
from chassis.limits.rates import Verdict


class Gate:
    """The door of one method."""

    __slots__ = ("_limits", "_own_token", "_policy", "_tokens")

    def __init__(
        self, tokens: Tokens, policy: Policy, limits: Limits | None = None, own_token: ServiceToken | None = None
    ) -> None:
        self._tokens = tokens
        self._policy = policy
        self._limits = limits
        self._own_token = own_token

    async def enter(self, authorization: str) -> None:
        """Make who calls the current caller. Raises Unauthenticated, PermissionDenied, or Unavailable."""
        current.set(await self._caller(authorization))

    async def count(self, voucher: str = "") -> Verdict | None:
        """Count a call of the current caller, unless who passed it on has; None for who may call as often as they like.

        Rule (limits: once): the gateway counts what it passes on, and shows a token of its own for it (`voucher`);
        a service counts what comes by another way. A call whose entries have callers is counted by its entries.
        """
        if self._limits is None or self._policy.is_open:
            return None
        is_counted = bool(voucher) and await self._is_our_own(self._limits, voucher)
        was_counted.set(is_counted)
        return None if is_counted or self._policy.is_by_entry else await self._limits.admit(current.get())

    async def voucher(self) -> str:
        """What shows others that we have counted the call that we pass on.

        Nothing while the issuer gives us no token: then they count it again, and nobody waits for the issuer.
        """
        return "" if self._limits is None or self._own_token is None else await self._own_token.at_hand()

    async def _is_our_own(self, limits: Limits, voucher: str) -> bool:
        try:
            return limits.is_our_own(await self._tokens.caller_of(voucher))
        except Refusal:  # then it vouches for nothing
            return False

    async def _caller(self, authorization: str) -> Caller:
        if self._policy.is_open or (self._policy.is_by_entry and not authorization):
            return NOBODY
        caller = await self._tokens.caller_of(authorization)
        self._policy.admit(caller)
        return caller


class Door:
    """Open to everybody when there are no tokens to be asked for (AUTH=off)."""

    def __init__(
        self, tokens: Tokens | None = None, limits: Limits | None = None, own_token: ServiceToken | None = None
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._own_token = own_token

    @classmethod
    def of(cls, settings: AccessSettings, limits: Limits | None = None) -> "Door":
        """The door that the settings ask for; without limits callers may enter as often as they like."""
        if not settings.asks_callers:
            return cls()
        issuer = Issuer(settings.oidc_issuer, settings.oidc_jwks_url)
        names = ClaimNames(settings.oidc_roles_claim, settings.oidc_customer_claim)
        rules = Rules(settings.oidc_issuer, settings.oidc_audience, settings.oidc_clock_skew_seconds, names)
        return cls(Tokens(rules, Keys(issuer.keys)), limits, ServiceToken.of(settings))

    def gate(self, policy: Policy) -> Gate | None:
        """The gate of a method; None where nobody is asked who they are."""
        if self._tokens is None:
            return None
        return Gate(self._tokens, policy, self._limits, self._own_token)

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
        return await self._counted([known[authorization] for authorization in authorizations])

    async def close(self) -> None:
        """Let go of what limits are counted in."""
        if self._limits is not None:
            await self._limits.close()

    async def _counted(self, callers: Sequence[Caller | Refusal]) -> Sequence[Caller | Refusal]:
        """An entry is a request of its caller's; all of a batch are counted in one round trip."""
        if self._limits is None or was_counted.get():
            return callers
        verdicts = await self._limits.judge([NOBODY if isinstance(each, Refusal) else each for each in callers])
        return [
            caller if verdict is None or verdict.is_admitted else refusal(verdict)
            for caller, verdict in zip(callers, verdicts, strict=True)
        ]

    async def _entry_caller(self, tokens: Tokens, authorization: str, policy: Policy) -> Caller | Refusal:
        try:
            caller = await tokens.caller_of(authorization) if authorization else current.get()
            if caller is NOBODY:
                raise Unauthenticated("this entry needs a token")
            policy.admit(caller)
        except Refusal as refusal:  # an answer to these entries alone
            return refusal
        return caller
