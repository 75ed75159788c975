"""Rate limits in a real Valkey: shared by processes, counted there, and here while it is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import REGISTRY

from chassis import clock, ids
from chassis.access.caller import ANYBODY, NOBODY, Caller, Role
from chassis.limits.limits import Limits
from chassis.limits.rates import Rate
from chassis.limits.shared import Ask, SharedDebts
from chassis.redis import async_client
from deploy.local import Infrastructure
from tests.chaos.proxy import Link
from tests.services.chassis.processes import nowhere

SIXTY = {Role.CUSTOMER: Rate("customer", 60), Role.SERVICE: Rate("service", 60)}
OWN = frozenset({"gateway"})


@asynccontextmanager
async def link_to(url: str) -> AsyncIterator[Link]:
    """A way to Redis that a test can cut."""
    where = urlsplit(url)
    link = Link("redis", (where.hostname or "", where.port or 0))
    await link.listen()
    yield link
    await link.close()


def through(link: Link, url: str) -> str:
    """The URL of the Redis behind a link."""
    return url.replace(f":{urlsplit(url).port}", f":{link.port}")


def customer() -> Caller:
    """Somebody who has asked nothing yet."""
    name = ids.new_id()
    return Caller(Role.CUSTOMER, f"sub-{name}", name)


@asynccontextmanager
async def limited(url: str, context: str = "limited") -> AsyncIterator[Limits]:
    """One process with limits."""
    limits = Limits(context, SIXTY, OWN, SharedDebts(url))
    yield limits
    await limits.close()


async def admitted(limits: Limits, caller: Caller, asks: int) -> int:
    """How many of so many requests at once go on."""
    verdicts = await asyncio.gather(*(limits.admit(caller) for _ in range(asks)))
    return sum(verdict is not None and verdict.is_admitted for verdict in verdicts)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def counted(context: str, by: str) -> float:
    return REGISTRY.get_sample_value(f"{context}_rate_limited_requests_total", {"by": by}) or 0


def test_two_gateways_share_one_limit(infrastructure: Infrastructure) -> None:
    async def work() -> None:
        anna, ben = customer(), customer()
        async with limited(infrastructure.redis_url) as one, limited(infrastructure.redis_url) as two:
            passed = await asyncio.gather(*(admitted(each, anna, 10) for _ in range(5) for each in (one, two)))
            assert 60 <= sum(passed) <= 63
            assert await admitted(two, ben, 60) == 60, "another customer has a limit of their own"

    run(work())


def test_many_callers_are_counted_in_one_round_trip(infrastructure: Infrastructure) -> None:
    async def work() -> None:
        callers = [customer() for _ in range(50)]
        client = async_client(infrastructure.redis_url)
        async with limited(infrastructure.redis_url) as limits, client:
            await limits.admit(callers[0])
            before = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
            verdicts = await limits.judge([*callers, *callers])
            after = (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]
            assert after - before == 1
            assert [verdict and verdict.remaining for verdict in verdicts[1:50]] == [59] * 49
            assert [verdict and verdict.remaining for verdict in verdicts[51:]] == [58] * 49

    run(work())


def test_operators_our_own_services_and_the_unknown_have_no_limit() -> None:
    async def work() -> None:
        async with limited(f"redis://{nowhere()}/0") as limits:
            free = [ANYBODY, NOBODY, Caller(Role.OPERATOR, "boss"), Caller(Role.SERVICE, "gateway")]
            assert await limits.judge(free) == [None] * 4
            assert await limits.admit(Caller(Role.SERVICE, "billing")) is not None

    run(work())


def test_redis_dies_in_the_middle_and_nobody_gains_a_second_minutes_worth(infrastructure: Infrastructure) -> None:
    async def work() -> None:
        anna = customer()
        async with (
            link_to(infrastructure.redis_url) as link,
            limited(through(link, infrastructure.redis_url), "dying") as limits,
        ):
            assert await admitted(limits, anna, 50) == 50
            await link.refuse()
            # The debt that Redis last told goes on here. A fresh local limit would let sixty more through.
            assert 10 <= await admitted(limits, anna, 60) <= 13
            assert counted("dying", "process") == 60
            await link.heal()
            async with asyncio.timeout(15):
                while counted("dying", "redis") == 50:
                    await limits.admit(customer())
                    await asyncio.sleep(0)

    run(work())


def test_a_redis_that_is_silent_delays_one_question_and_no_more(infrastructure: Infrastructure) -> None:
    async def work() -> None:
        async with (
            link_to(infrastructure.redis_url) as link,
            limited(through(link, infrastructure.redis_url), "silent") as limits,
        ):
            await limits.admit(customer())
            await link.drop()
            began = time.monotonic()
            for _ in range(500):
                await limits.admit(customer())
            assert time.monotonic() - began < 1
            assert counted("silent", "process") == 500
            await link.heal()

    run(work())


def test_a_clock_of_redis_that_was_set_back_shuts_nobody_out_for_longer_than_a_minute(
    infrastructure: Infrastructure,
) -> None:
    async def work() -> None:
        shared, client = SharedDebts(infrastructure.redis_url), async_client(infrastructure.redis_url)
        key = f"limits:test:{ids.new_id()}"
        await shared._client.set(key, str(clock.unix_ms() * 1_000 + 86_400_000_000))
        assert await shared.take([Ask(key, 1_000_000, 1)]) == [(0, 60_000_000)]
        assert 0 < await shared._client.pttl(key) <= 60_000
        assert await shared.take([Ask(f"{key}b", 1_000_000, 2)]) == [(2, 2_000_000)]
        await shared.close()
        await client.aclose()

    run(work())
