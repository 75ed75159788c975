"""The small service, or another, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.orders.v1 import orders_pb2_grpc
from tests.waiting import until

PROJECT = Path(__file__).resolve().parents[3]
MODULE = "tests.services.chassis.small_service"
NOT_ANSWERING = "NOT_ANSWERING"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def _held() -> socket.socket:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held


def nowhere() -> str:
    """An address at which nobody listens, nor can as long as this process has it: a free port is soon another's."""
    return f"127.0.0.1:{_held().getsockname()[1]}"


def environment(**changes: str) -> dict[str, str]:
    """What the small service needs, all of it away unless `changes` say where it is."""
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "build" / "generated")])
    away = nowhere()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "GRPC_PORT": str(free_port()),
        "METRICS_PORT": str(free_port()),
        "KAFKA_BOOTSTRAP_SERVERS": away,
        "REDIS_URL": f"redis://{away}/0",
        "ORDERS_DATABASE_URL": f"postgresql://orders:hush@{away}/orders_db",
        **changes,
    }


def command(*arguments: str, module: str = MODULE) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def run_once(settings: Mapping[str, str], *arguments: str, module: str = MODULE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, module=module),
        env=settings,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@dataclass
class Process:
    """A running small service, and ways to talk to it."""

    child: subprocess.Popen[str]
    settings: Mapping[str, str]
    channel: grpc.Channel

    @property
    def orders(self) -> Any:
        """The stub of orders.v1."""
        return orders_pb2_grpc.OrderServiceStub(self.channel)

    def health(self, name: str = "") -> str:
        """The status of a name, or NOT_ANSWERING."""
        channel: Any = self.channel
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=2)
        except grpc.RpcError:
            return NOT_ANSWERING
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def await_health(self, status: str, name: str = "") -> None:
        """Return when the name has this status."""
        assert until(lambda: self.health(name) == status, seconds=30), (self.health(name), self.child.poll())

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.child.send_signal(number)

    def exit_code(self) -> int:
        return self.child.wait(timeout=30)

    def output(self) -> str:
        """All it wrote; after its end."""
        assert self.child.stdout is not None
        return self.child.stdout.read()


@contextmanager
def running(settings: Mapping[str, str], module: str = MODULE) -> Iterator[Process]:
    """Started; killed at the end if it still runs."""
    child = subprocess.Popen(
        command(module=module), env=settings, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{settings['GRPC_PORT']}") as channel, child.stdout or child:
            yield Process(child, settings, channel)
    finally:
        child.kill()
        child.wait()
