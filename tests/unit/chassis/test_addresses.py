"""Addresses: one or several, and how gRPC asks them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chassis import tls
from chassis.addresses import server_addresses, target_of


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("orders", "host:port"),
        ("127.0.0.1:1,", "IP addresses"),
        ("127.0.0.1:1,orders:2", "must be IP addresses, where there are several; one name may stand for many"),
        ("127.0.0.1:1,[::1]:1", "IPv4 addresses alone or IPv6"),
        ("127.0.0.1:1,127.0.0.1:1", "twice"),
    ],
)
def test_addresses_without_sense_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        server_addresses(text)


def test_one_name_or_several_addresses_are_taken() -> None:
    assert target_of(server_addresses("orders:50051")) == "orders:50051"
    assert target_of(server_addresses("127.0.0.1:1, 127.0.0.2:1")) == "ipv4:127.0.0.1:1,127.0.0.2:1"
    assert target_of(server_addresses("[::1]:1,[::1]:2")) == "ipv6:[::1]:1,[::1]:2"


class Counting(health.HealthServicer):
    """Answers, and counts how often."""

    asked = 0

    def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        self.asked += 1
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def served() -> tuple[grpc.Server, Counting, str]:
    server, counting = grpc.server(ThreadPoolExecutor(2)), Counting()
    health_pb2_grpc.add_HealthServicer_to_server(counting, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, counting, f"127.0.0.1:{port}"


async def asked(addresses: str, times: int) -> None:
    async with tls.aio_channel(addresses, None, []) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for _ in range(times):
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True)


def test_several_servers_are_asked_in_turn_and_one_that_is_away_by_nobody() -> None:
    (one, first, here), (other, second, there) = served(), served()

    asyncio.run(asked(f"{here},{there}", 40))
    before = first.asked, second.asked
    other.stop(None).wait()
    asyncio.run(asked(f"{here},{there}", 10))

    assert min(before) >= 10
    assert (first.asked, second.asked) == (before[0] + 10, before[1])
    one.stop(None).wait()


def test_a_lone_server_that_is_back_answers_the_next_call() -> None:
    """A channel that takes turns would refuse it until its clock tells it to try again."""
    server, _, address = served()

    async def asked_before_and_after() -> None:
        async with tls.aio_channel(address, None, [("grpc.min_reconnect_backoff_ms", 60_000)]) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True)
            server.stop(None).wait()
            await gone(channel)
            again = grpc.server(ThreadPoolExecutor(2))
            health_pb2_grpc.add_HealthServicer_to_server(Counting(), again)
            again.add_insecure_port(address)
            again.start()
            try:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
            finally:
                again.stop(None).wait()

    asyncio.run(asked_before_and_after())


async def gone(channel: grpc.aio.Channel) -> None:
    async with asyncio.timeout(10):
        while (state := channel.get_state()) is grpc.ChannelConnectivity.READY:
            await channel.wait_for_state_change(state)
