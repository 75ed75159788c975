"""Asks who calls before an endpoint does anything, and whether they may; the services ask again."""

from collections.abc import Awaitable, Callable

from chassis.access.door import Gate
from chassis.errors import PermissionDenied, Refusal, Unauthenticated
from chassis.limits.limits import refusal
from chassis.limits.rates import Verdict
from gateway.rest.answers import Answer, Stream
from gateway.rest.problems import Problem, retry_after, unexplained
from gateway.rest.requests import Request

Endpoint = Callable[[Request], Awaitable[Answer | Stream]]


class Guarded:
    """An endpoint behind a gate."""

    def __init__(self, endpoint: Endpoint, gate: Gate) -> None:
        self._endpoint = endpoint
        self._gate = gate

    async def __call__(self, request: Request) -> Answer | Stream:
        """The endpoint's answer; Problem (401, 403, 429, 503) for who may not ask it."""
        await let_in(self._gate, request)
        return await self._endpoint(request)


async def let_in(gate: Gate, request: Request) -> None:
    """Make who sends the request the current caller, and count it. Raises Problem."""
    authorization = request.header(b"authorization") or ""
    try:
        await gate.enter(authorization)
    except Refusal as refused:
        raise _problem(refused, has_token=bool(authorization)) from None
    if (verdict := await gate.count()) is not None:
        _tell(request, verdict)
    request.voucher = await gate.voucher()


def _tell(request: Request, verdict: Verdict) -> None:
    """Every answer says what is left. Raises Problem for a request beyond the limit."""
    policy = (b"ratelimit-policy", verdict.rate.policy.encode())
    request.told = (policy, (b"ratelimit", verdict.told.encode()))
    if not verdict.is_admitted:
        beyond = refusal(verdict)
        raise Problem(429, beyond.code, beyond.message, headers=retry_after(verdict.retry_seconds))


def _problem(refusal: Refusal, *, has_token: bool) -> Problem:
    if isinstance(refusal, Unauthenticated):
        return Problem(401, refusal.code, refusal.message, headers=_challenge(refusal.message, has_token))
    if isinstance(refusal, PermissionDenied):
        return Problem(403, refusal.code, refusal.message)
    problem = unexplained(503)
    problem.message = refusal.message
    return problem


def _challenge(message: str, has_token: bool) -> tuple[tuple[bytes, bytes], ...]:
    """RFC 6750, section 3: who sent nothing is told no error."""
    error = f' error="invalid_token", error_description="{message}"' if has_token else ""
    return ((b"www-authenticate", f"Bearer{error}".encode("ascii", "replace")),)
