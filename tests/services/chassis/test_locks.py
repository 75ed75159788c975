"""The Redis lock, against a real Valkey: exclusive, whole or not at all, never in the way when Redis is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from chassis import ids
from chassis.errors import LockConflict
from chassis.locks import RedisLock
from chassis.redis import AsyncRedis, async_client
from deploy.local import Infrastructure
from tests.services.chassis.processes import nowhere


@asynccontextmanager
async def _locks(url: str) -> AsyncIterator[tuple[RedisLock, AsyncRedis, str]]:
    client = async_client(url)
    context = f"locks_{ids.new_id().replace('-', '')}"
    try:
        yield RedisLock(client, context), client, context
    finally:
        await client.aclose()


def _run(url: str, body: Callable[[RedisLock, AsyncRedis, str], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _locks(url) as (locks, client, context):
            await body(locks, client, context)

    asyncio.run(run())


def _counted(context: str, outcome: str) -> float | None:
    return REGISTRY.get_sample_value(f"{context}_lock_attempts_total", {"outcome": outcome})


def test_who_comes_second_is_refused_after_its_wait(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, _client: AsyncRedis, context: str) -> None:
        async with locks.acquire_many(["a"]):
            with pytest.raises(LockConflict):
                async with locks.acquire_many(["a"], wait_ms=30):
                    pytest.fail("both are in")
        assert _counted(context, "busy") == 1

    _run(infrastructure.redis_url, body)


def test_who_waits_gets_the_lock_when_it_is_given_back(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, _client: AsyncRedis, context: str) -> None:
        inside = 0

        async def work() -> None:
            nonlocal inside
            async with locks.acquire_many(["a", "b"], wait_ms=10_000):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(work() for _ in range(20)))
        assert _counted(context, "taken") == 20

    _run(infrastructure.redis_url, body)


def test_those_who_want_the_same_in_another_order_do_not_block_each_other(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, _client: AsyncRedis, _context: str) -> None:
        async def work(keys: list[str]) -> None:
            async with locks.acquire_many(keys, wait_ms=10_000):
                await asyncio.sleep(0)

        orders = (["a", "b", "c"], ["c", "b", "a"], ["b", "a", "b"])
        await asyncio.wait_for(asyncio.gather(*(work(list(keys)) for keys in orders for _ in range(5))), 15)

    _run(infrastructure.redis_url, body)


def test_who_cannot_have_all_keeps_none(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, client: AsyncRedis, context: str) -> None:
        async with locks.acquire_many(["c"]):
            with pytest.raises(LockConflict):
                async with locks.acquire_many(["a", "b", "c"], wait_ms=0):
                    pytest.fail("both are in")
            assert await client.keys(f"{context}:lock:*") == [f"{context}:lock:c".encode()]
        assert await client.keys(f"{context}:lock:*") == []

    _run(infrastructure.redis_url, body)


def test_a_lock_whose_holder_died_runs_out(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, client: AsyncRedis, context: str) -> None:
        await client.set(f"{context}:lock:a", "somebody who died", px=100)
        async with locks.acquire_many(["a"], wait_ms=5_000):
            pass

    _run(infrastructure.redis_url, body)


def test_a_lock_that_ran_out_and_is_somebody_elses_is_left_to_them(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, client: AsyncRedis, context: str) -> None:
        async with locks.acquire_many(["a"]):
            await client.set(f"{context}:lock:a", "somebody else")
        assert await client.get(f"{context}:lock:a") == b"somebody else"
        await client.delete(f"{context}:lock:a")

    _run(infrastructure.redis_url, body)


def test_an_error_inside_gives_the_locks_back(infrastructure: Infrastructure) -> None:
    async def body(locks: RedisLock, client: AsyncRedis, context: str) -> None:
        with pytest.raises(ZeroDivisionError):
            async with locks.acquire_many(["a"]):
                raise ZeroDivisionError
        assert await client.keys(f"{context}:lock:*") == []

    _run(infrastructure.redis_url, body)


def test_without_redis_the_work_goes_on_and_that_is_counted() -> None:
    async def body(locks: RedisLock, _client: AsyncRedis, context: str) -> None:
        entered = False
        async with locks.acquire_many(["a"]):
            entered = True
        assert entered
        assert _counted(context, "left_out") == 1

    _run(f"redis://{nowhere()}/0", body)
