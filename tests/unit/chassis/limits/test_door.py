"""Limits at the door of a service: whom it counts, whom somebody else has counted, and what they are told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from chassis.access.caller import Caller, Role, current
from chassis.access.door import Door
from chassis.access.keys import Keys
from chassis.access.policy import policy_named
from chassis.access.tokens import Rules, Tokens
from chassis.errors import Refusal, TooManyRequests
from chassis.limits.limits import VOUCHER, Limits
from chassis.limits.local import LocalDebts
from chassis.limits.rates import Rate
from chassis.limits.shared import Ask
from protos.orders.v1 import orders_pb2 as pb
from tests.issuers import AUDIENCE, ISSUER, SigningKey, claims
from tests.unit.chassis.serving import CONTEXT, Serving, serving

KEY = SigningKey("now")
BATCH = "/orders.v1.OrderService/BatchCreateOrders"


class Redis:
    """Stands where Redis stands, and remembers what it was asked."""

    def __init__(self) -> None:
        self.debts = LocalDebts()
        self.asked: list[Sequence[Ask]] = []

    async def take(self, asked: Sequence[Ask]) -> list[tuple[int, int]]:
        self.asked.append(asked)
        return [self.debts.take(*ask) for ask in asked]

    async def close(self) -> None:
        """Nothing to close."""


def a_door(redis: Redis, per_minute: int = 3) -> Door:
    async def keys() -> Sequence[Any]:
        return [KEY.document]

    rates = {role: Rate(role.value, per_minute) for role in (Role.CUSTOMER, Role.SERVICE)}
    limits = Limits(CONTEXT, rates, frozenset({"gateway"}), redis)
    return Door(Tokens(Rules(ISSUER, AUDIENCE), Keys(keys)), limits)


def bearer(role: str = "customer", customer: str = "anna", **changes: Any) -> str:
    return f"Bearer {KEY.sign(claims(role, customer, **changes))}"


GATEWAY = bearer("service", "", sub="gateway")
ANNA = bearer()


async def _an_order(_request: Any, _context: Any) -> pb.Order:
    return pb.Order(customer_id=current.get().customer_id)


def served(work: Any, redis: Redis) -> None:
    async def run() -> None:
        async with serving(_an_order, door=a_door(redis)) as serves:
            await work(serves)

    asyncio.run(run())


async def codes(serves: Serving, times: int, *metadata: tuple[str, str]) -> list[str]:
    """How so many calls end."""
    calls = [serves.get_order(metadata=metadata) for _ in range(times)]
    return sorted([(await call.code()).name for call in calls])


def test_a_direct_call_beyond_the_limit_is_told_when_to_come_again() -> None:
    async def work(serves: Serving) -> None:
        first = serves.get_order(metadata=(("authorization", ANNA),))
        await first
        told = dict(await first.trailing_metadata())
        assert told["ratelimit"] == '"customer";r=2;t=20'
        assert told["ratelimit-policy"] == '"customer";q=3;w=60'
        await codes(serves, 2, ("authorization", ANNA))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await serves.get_order(metadata=(("authorization", ANNA),))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
        assert status is not None
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(retry)
        assert (info.reason, info.metadata["limit"]) == ("too_many_requests", "customer")
        assert 0 < retry.retry_delay.ToMilliseconds() <= 20_000

    served(work, Redis())


def test_what_the_gateway_has_counted_is_not_counted_again() -> None:
    redis = Redis()

    async def work(serves: Serving) -> None:
        assert await codes(serves, 9, ("authorization", ANNA), (VOUCHER, GATEWAY)) == ["OK"] * 9
        assert redis.asked == []

    served(work, redis)


@pytest.mark.parametrize(
    "voucher",
    [
        bearer("service", "", sub="billing"),
        bearer("operator", "", sub="gateway"),
        bearer("customer", "gateway", sub="gateway"),
        GATEWAY[:-6] + "AAAAAA",
        "yes",
    ],
)
def test_only_our_own_services_can_vouch_for_a_call(voucher: str) -> None:
    async def work(serves: Serving) -> None:
        ended = await codes(serves, 9, ("authorization", ANNA), (VOUCHER, voucher))
        assert ended == ["OK"] * 3 + ["RESOURCE_EXHAUSTED"] * 6

    served(work, Redis())


def test_customers_services_and_operators_have_limits_of_their_own_or_none() -> None:
    async def work(serves: Serving) -> None:
        for token, passed in (
            (ANNA, 3),
            (bearer(customer="ben"), 3),
            (bearer("service", "", sub="anna"), 3),
            (bearer("operator", ""), 9),
            (GATEWAY, 9),
        ):
            assert (await codes(serves, 9, ("authorization", token))).count("OK") == passed

    served(work, Redis())


def test_calls_that_come_together_are_counted_in_one_question() -> None:
    redis = Redis()

    async def work(serves: Serving) -> None:
        limits = a_door(redis, per_minute=50)
        gate = limits.gate(policy_named("/orders.v1.OrderService/GetOrder"))
        assert gate is not None

        async def call() -> None:
            await gate.enter(ANNA)
            await gate.count()

        await call()
        await asyncio.gather(*(call() for _ in range(20)))

    served(work, redis)
    assert [[ask.asks for ask in asked] for asked in redis.asked] == [[1], [20]]


def test_each_entry_of_a_batch_is_a_request_of_its_callers() -> None:
    redis = Redis()

    async def ask(tokens: Sequence[str]) -> list[Caller | Refusal]:
        return list(await a_door(redis).callers_of(tokens, policy_named(BATCH)))

    ben = bearer(customer="ben")
    told = asyncio.run(ask([ANNA, ANNA, ben, ANNA, ANNA, "nonsense"]))

    assert [getattr(each, "customer_id", type(each).__name__) for each in told] == [
        "anna", "anna", "ben", "anna", "TooManyRequests", "Unauthenticated",
    ]  # fmt: skip
    assert isinstance(told[4], TooManyRequests)
    assert 0 < (told[4].retry_after or 0) <= 20
    assert [(ask.asks) for ask in redis.asked[0]] == [4, 1], "one question for all of them"


def test_a_batch_that_the_gateway_passes_on_is_not_counted_again() -> None:
    redis = Redis()

    async def ask() -> Sequence[Caller | Refusal]:
        door = a_door(redis)
        gate = door.gate(policy_named(BATCH))
        assert gate is not None
        await gate.enter("")
        await gate.count(GATEWAY)
        return await door.callers_of([ANNA] * 9, policy_named(BATCH))

    assert len([each for each in asyncio.run(ask()) if isinstance(each, Caller)]) == 9
    assert redis.asked == []


def test_an_answer_of_redis_that_makes_no_sense_is_none() -> None:
    class Odd(Redis):
        async def take(self, asked: Sequence[Ask]) -> list[tuple[int, int]]:
            raise ValueError("an answer of another shape")

    async def work(serves: Serving) -> None:
        assert await codes(serves, 9, ("authorization", ANNA)) == ["OK"] * 3 + ["RESOURCE_EXHAUSTED"] * 6

    served(work, Odd())
