"""Processes are weighed from outside, with all that descends from them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.load.watch import Watch, connections, weights
from tests.waiting import until

FAMILY = """
import subprocess, sys, threading
holds = "block = bytes(range(256)) * 80_000; print(1, flush=True); open(0).read()"
child = subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE)
threading.Thread(target=open(0).read).start()
files = [open("/dev/null") for _ in range(20)]
child.wait()
"""


@pytest.fixture
def pid() -> Iterator[int]:
    """A process with a thread, twenty files, and a child that holds 20 MB."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert until(lambda: weights({"it": process.pid})["it"].descriptors >= 20)
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()
        process.kill()


def test_a_process_is_weighed_with_its_descendants(pid: int) -> None:
    weight = weights({"it": pid})["it"]

    assert weight.resident_mb > 20
    assert weight.threads >= 3
    assert weight.descriptors >= 26


def test_a_process_that_is_gone_weighs_nothing() -> None:
    assert weights({"it": 2**22 + 1})["it"].threads == 0


def test_a_watch_tells_our_work_from_that_of_others(pid: int) -> None:
    watch = Watch(lambda: {"it": pid, "us": os.getpid()}, every=0.05)
    watch.begin()
    sum(number * number for number in range(2_000_000))
    samples = watch.end()

    assert samples[-1].cpu["us"] > 0
    assert samples[-1].weights["it"].threads >= 3
    assert samples[-1].strangers_cpu >= 0


def test_connections_of_clients_are_not_a_process_own_descriptors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        accepted = [server.accept()[0] for _ in clients]

        assert connections(port) == 3

        mine = weights({"us": os.getpid()})["us"].descriptors
        watch = Watch(lambda: {"us": os.getpid()}, every=0.05, door=("us", port))
        watch.begin()
        assert abs(watch.end()[-1].weights["us"].descriptors - (mine - 3)) <= 2
        for each in (*accepted, *clients):
            each.close()
