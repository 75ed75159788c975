"""The server's own services: health, reflection, channelz; and its end."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from chassis.health import Health
from chassis.server import Server
from protos.orders.v1 import orders_pb2 as pb
from tests.unit.chassis.serving import AN_ID, Serving, serving

messages: Any = health_pb2  # whose published types lack the newer messages
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _an_order(_request: Any, _context: Any) -> pb.Order:
    return pb.Order()


def _health(channel: Any) -> Any:
    return health_pb2_grpc.HealthStub(channel)


async def _status(served: Serving, name: str) -> int:
    return int((await _health(served.channel).Check(health_pb2.HealthCheckRequest(service=name))).status)


class Dependency:
    """Answers, or not."""

    def __init__(self) -> None:
        self.is_there = True

    async def check(self) -> None:
        if not self.is_there:
            raise ConnectionRefusedError("nobody there")


def test_health_tells_each_dependency_and_readiness_asks_only_for_what_is_needed() -> None:
    async def run() -> None:
        database, redis = Dependency(), Dependency()
        checks = {"database": database.check, "redis": redis.check}
        async with serving(_an_order, checks=checks, needed=("database",)) as served:
            redis.is_there = False
            await served.health.ask()
            assert await _status(served, "redis") == NOT_SERVING
            assert await _status(served, "") == await _status(served, "orders.v1.OrderService") == SERVING

            database.is_there = False
            await served.health.ask()
            assert await _status(served, "database") == NOT_SERVING
            assert await _status(served, "") == await _status(served, "orders.v1.OrderService") == NOT_SERVING

            database.is_there = redis.is_there = True
            await served.health.ask()
            assert await _status(served, "redis") == await _status(served, "") == SERVING

    asyncio.run(run())


def test_health_says_beside_its_answer_what_is_wrong_with_what() -> None:
    async def run() -> None:
        database, redis = Dependency(), Dependency()
        checks = {"database": database.check, "redis": redis.check}
        async with serving(_an_order, checks=checks, needed=("database",)) as served:

            async def reason(name: str) -> str:
                call = _health(served.channel).Check(health_pb2.HealthCheckRequest(service=name))
                await call
                return str(dict(await call.trailing_metadata()).get("reason", ""))

            assert await reason("") == await reason("redis") == ""
            redis.is_there = database.is_there = False
            await served.health.ask()
            assert await reason("redis") == "nobody is reached there"
            assert await reason("") == "database: nobody is reached there; redis: nobody is reached there"

            database.is_there = True
            await served.health.ask()
            assert await reason("orders.v1.OrderService") == "redis: nobody is reached there"

    asyncio.run(run())


def test_a_dependency_that_does_not_answer_at_all_is_away() -> None:
    async def silence() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(_an_order, checks={"kafka": silence}) as served:
            assert await _status(served, "kafka") == NOT_SERVING
            assert await _status(served, "") == SERVING

    asyncio.run(run())


def test_a_process_lives_whatever_is_away() -> None:
    async def run() -> None:
        database = Dependency()
        database.is_there = False
        async with serving(_an_order, checks={"database": database.check}, needed=("database",)) as served:
            await served.health.ask()
            assert await _status(served, "") == NOT_SERVING
            assert await _status(served, "live") == SERVING

    asyncio.run(run())


def test_who_watches_health_is_told_of_changes() -> None:
    async def run() -> None:
        database = Dependency()
        async with serving(_an_order, checks={"database": database.check}, needed=("database",)) as served:
            watch = _health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
            assert (await watch.read()).status == SERVING
            database.is_there = False
            await served.health.ask()
            assert (await watch.read()).status == NOT_SERVING

    asyncio.run(run())


def test_health_lists_every_name() -> None:
    async def run() -> None:
        async with serving(_an_order, checks={"database": Dependency().check}) as served:
            told = (await _health(served.channel).List(messages.HealthListRequest())).statuses
            assert set(told) == {"", "live", "orders.v1.OrderService", "database"}

    asyncio.run(run())


def test_an_unknown_name_is_not_found() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _status(served, "nobody")
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(run())


def test_callers_connect_anew_from_time_to_time_and_no_call_fails_by_it() -> None:
    peers: set[str] = set()

    async def who_asks(_request: Any, context: Any) -> pb.Order:
        peers.add(context.peer())
        return pb.Order(id=AN_ID)

    async def ask_on(served: Serving, deadline: float) -> None:
        while len(peers) < 6 and asyncio.get_running_loop().time() < deadline:
            assert (await served.get_order(timeout=30)).id == AN_ID

    async def run() -> None:
        async with serving(who_asks, connection_seconds=0.1) as served:
            deadline = asyncio.get_running_loop().time() + 60
            await asyncio.gather(*(ask_on(served, deadline) for _ in range(8)))

    asyncio.run(run())
    assert len(peers) >= 6


def test_a_stream_goes_on_by_the_old_connection_while_calls_go_by_new_ones() -> None:
    peers: set[str] = set()

    async def who_asks(_request: Any, context: Any) -> pb.Order:
        peers.add(context.peer())
        return pb.Order(id=AN_ID)

    async def run() -> None:
        database = Dependency()
        checks = {"database": database.check}
        async with serving(who_asks, checks=checks, needed=("database",), connection_seconds=0.1) as served:
            watch = _health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
            assert (await watch.read()).status == SERVING
            deadline = asyncio.get_running_loop().time() + 60
            while len(peers) < 3 and asyncio.get_running_loop().time() < deadline:
                await served.get_order(timeout=30)
            database.is_there = False
            await served.health.ask()
            assert (await watch.read()).status == NOT_SERVING

    asyncio.run(run())
    assert len(peers) >= 3


def test_a_stream_that_outstays_the_grace_is_ended_as_unavailable() -> None:
    async def run() -> None:
        async with serving(_an_order, connection_seconds=0.1, connection_grace_seconds=0.1) as served:
            watch = _health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                async for _ in watch:
                    pass
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
            assert await _status(served, "") == SERVING

    asyncio.run(run())


def test_reflection_shows_the_services_and_their_messages() -> None:
    def look(port: int) -> tuple[set[str], str]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            return set(database.get_services()), database.FindFileContainingSymbol("orders.v1.OrderService").name

    async def run() -> None:
        async with serving(_an_order) as served:
            services, file = await asyncio.to_thread(look, served.server.port)
            assert services >= {
                "orders.v1.OrderService", "grpc.health.v1.Health", "grpc.channelz.v1.Channelz",
                "grpc.reflection.v1alpha.ServerReflection",
            }  # fmt: skip
            assert file == "protos/orders/v1/orders.proto"

    asyncio.run(run())


def test_channelz_shows_the_server_and_its_calls() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            await served.get_order()
            channel: Any = served.channel
            stub: Any = channelz_pb2_grpc.ChannelzStub(channel)
            servers = (await stub.GetServers(channelz_pb2.GetServersRequest())).server
            assert sum(server.data.calls_started for server in servers) >= 1

    asyncio.run(run())


def test_a_stop_waits_for_calls_under_way_and_refuses_new_ones() -> None:
    async def run() -> None:
        inside, free = asyncio.Event(), asyncio.Event()

        async def answer(_request: Any, _context: Any) -> pb.Order:
            inside.set()
            await free.wait()
            return pb.Order(customer_id="c-17")

        async with serving(answer) as served:
            under_way = asyncio.ensure_future(served.get_order())
            await inside.wait()
            watch = _health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
            assert (await watch.read()).status == SERVING
            stopping = asyncio.create_task(served.server.stop(10))
            assert (await watch.read()).status == NOT_SERVING
            async with grpc.aio.insecure_channel(f"127.0.0.1:{served.server.port}") as newcomer:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await _health(newcomer).Check(health_pb2.HealthCheckRequest())
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            free.set()
            assert (await under_way).customer_id == "c-17"
            await asyncio.wait_for(stopping, 5)

    asyncio.run(run())


def test_a_stop_does_not_wait_for_those_who_watch_health() -> None:
    async def run() -> None:
        async with serving(_an_order) as served:
            watch = _health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
            assert (await watch.read()).status == SERVING
            await asyncio.wait_for(served.server.stop(60), 5)

    asyncio.run(run())


def test_a_stop_ends_calls_that_take_longer_than_it_waits() -> None:
    async def run() -> None:
        inside = asyncio.Event()

        async def answer(_request: Any, _context: Any) -> pb.Order:
            inside.set()
            await asyncio.Event().wait()
            return pb.Order()

        async with serving(answer) as served:
            under_way = asyncio.ensure_future(served.get_order())
            await inside.wait()
            await asyncio.wait_for(served.server.stop(0.05), 5)
            with pytest.raises(grpc.aio.AioRpcError):
                await under_way

    asyncio.run(run())


def test_a_port_that_is_taken_is_an_error() -> None:
    async def run() -> None:
        async with serving(_an_order) as first:
            second = Server("serving", f"127.0.0.1:{first.server.port}", Health("serving", {}, ()), 1)
            with pytest.raises(RuntimeError):
                await second.start()

    asyncio.run(run())
