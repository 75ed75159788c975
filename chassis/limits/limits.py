"""Who may go on: counts callers in Redis, many in one round trip, or here while Redis is away."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Self

from chassis import clock
from chassis.access.caller import Caller, Role
from chassis.errors import TooManyRequests
from chassis.limits.local import LocalDebts
from chassis.limits.rates import Rate, Verdict, verdicts
from chassis.limits.settings import LimitSettings
from chassis.limits.shared import Ask, Debts, SharedDebts
from chassis.logs import get_logger
from chassis.metrics import counter
from chassis.redis import RedisAway

_REST_SECONDS: Final = 1.0
_MOST_AT_ONCE: Final = 500
_NO_ANSWER: Final = (RedisAway, OSError, ValueError, TypeError)
"""An answer that makes no sense is none: somebody else's server, or a script of another release."""

VOUCHER: Final = "x-counted-by"
"""Metadata in which the gateway shows its own token, for a call that it has counted."""

was_counted: ContextVar[bool] = ContextVar("was_counted", default=False)
"""Whether the call under way was counted by the gateway that passed it on."""

log = get_logger(__name__)


class _Question(NamedTuple):
    key: str
    rate: Rate
    answer: "asyncio.Future[Verdict]"


class Limits:
    """Used on one event loop. Operators, our own services, and whoever nobody knows have no limit."""

    def __init__(
        self,
        context: str,
        rates: Mapping[Role, Rate],
        own_subjects: frozenset[str],
        shared: Debts,
        local: LocalDebts | None = None,
    ) -> None:
        self._rates = rates
        self._own_subjects = own_subjects
        self._shared = shared
        self._local = local or LocalDebts()
        self._waiting: list[_Question] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_asking = self._is_away = self._is_looking = False
        self._look_at = 0.0
        counted = counter(context, "rate_limited_requests", "Requests that were counted against a limit", "by")
        self._by_redis, self._by_us = counted.labels("redis"), counted.labels("process")
        refused = counter(context, "rate_limit_refusals", "Requests beyond their caller's limit", "limit")
        self._refusals = {rate.name: refused.labels(rate.name) for rate in rates.values()}

    @classmethod
    def of(cls, settings: LimitSettings, context: str, redis_url: str) -> Self | None:
        """The limits that the settings ask for; None where there are none."""
        told = {Role.CUSTOMER: settings.rate_limit_per_minute, Role.SERVICE: settings.service_rate_limit_per_minute}
        rates = {role: Rate(role.value, limit) for role, limit in told.items() if limit}
        return cls(context, rates, settings.own_subjects, SharedDebts(redis_url)) if rates else None

    def is_our_own(self, caller: Caller) -> bool:
        """Whether this is a service of this installation, which counts those whose calls it passes on."""
        return caller.role is Role.SERVICE and caller.subject in self._own_subjects

    async def admit(self, caller: Caller) -> Verdict | None:
        """Count a request, refused or not: None for a caller without a limit."""
        return (await self.judge([caller]))[0]

    async def judge(self, callers: Sequence[Caller]) -> list[Verdict | None]:
        """Count a request of each caller, in this order."""
        questions = [self._question(caller) for caller in callers]
        asked = [question for question in questions if question is not None]
        if asked:
            self._waiting += asked
            self._wake()
        return [question and await question.answer for question in questions]

    async def close(self) -> None:
        """Let Redis go."""
        for task in self._tasks:
            task.cancel()
        await self._shared.close()

    def _question(self, caller: Caller) -> _Question | None:
        rate = self._rates.get(caller.role)
        if rate is None or self.is_our_own(caller) or (caller.is_customer and not caller.customer_id):
            return None
        whose = (caller.customer_id or caller.subject).encode()
        # A sum, so that nobody's name stands in Redis.
        key = f"limits:{rate.name}:{blake2b(whose, digest_size=16).hexdigest()}"
        return _Question(key, rate, asyncio.get_running_loop().create_future())

    def _wake(self) -> None:
        """What comes in while Redis is being asked makes up the next question, as in the batcher."""
        if not self._is_asking:
            self._is_asking = True
            self._begin(self._work_off())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                questions, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._answer(questions)
        finally:
            self._is_asking = False

    async def _answer(self, questions: Sequence[_Question]) -> None:
        same: dict[str, list[_Question]] = {}
        for question in questions:
            same.setdefault(question.key, []).append(question)
        asked = [Ask(key, group[0].rate.interval, len(group)) for key, group in same.items()]
        for group, (admitted, debt) in zip(same.values(), await self._taken(asked), strict=True):
            rate = group[0].rate
            self._refusals[rate.name].inc(len(group) - admitted)
            for question, verdict in zip(group, verdicts(rate, len(group), admitted, debt), strict=True):
                if not question.answer.cancelled():
                    question.answer.set_result(verdict)

    async def _taken(self, asked: Sequence[Ask]) -> list[tuple[int, int]]:
        """Rule (architecture: Redis): its loss slows but stops nothing. The same rate holds in this process then.

        What Redis last told is kept, so that its loss gives nobody a second minute's worth.
        """
        requests = sum(ask.asks for ask in asked)
        if not self._is_away:
            try:
                taken = await self._shared.take(asked)
            except _NO_ANSWER as error:
                self._go_without(error)
            else:
                for ask, (_, debt) in zip(asked, taken, strict=True):
                    self._local.note(ask.key, debt)
                self._by_redis.inc(requests)
                return taken
        self._look_again()
        self._by_us.inc(requests)
        return [self._local.take(ask.key, ask.interval, ask.asks) for ask in asked]

    def _go_without(self, error: Exception) -> None:
        self._is_away = True
        self._look_at = clock.monotonic() + _REST_SECONDS
        log.warning("rate limits hold in this process alone, redis is away", error=str(error))

    def _look_again(self) -> None:
        """Beside the requests: none of them waits for a Redis that was away a moment ago."""
        if not self._is_looking and clock.monotonic() >= self._look_at:
            self._is_looking = True
            self._begin(self._look())

    async def _look(self) -> None:
        try:
            await self._shared.take(())
        except _NO_ANSWER:
            self._look_at = clock.monotonic() + _REST_SECONDS
        else:
            self._is_away = False
            log.info("rate limits are counted in redis again")
        finally:
            self._is_looking = False


def refusal(verdict: Verdict) -> TooManyRequests:
    """What a caller beyond their limit is told."""
    return TooManyRequests(
        f"more than {verdict.rate.per_minute} requests a minute",
        retry_after=verdict.retry_seconds,
        metadata={"limit": verdict.rate.name},
    )
