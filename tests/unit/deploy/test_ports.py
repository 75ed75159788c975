"""Ports that are taken are named, with their holder."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.further_ports import FurtherPorts
from deploy.local.place import PORTS, Place
from deploy.local.ports import HeldPorts, free_offset, is_free
from deploy.local.refusals import CannotStart


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Place]:
    """A place whose REST port somebody holds: this very process."""
    place = Place(tmp_path, free_offset())
    with socket.create_server(("127.0.0.1", place.port("rest"))):
        yield place


def test_a_taken_port_is_told_with_its_number_its_use_and_its_holder(taken: Place) -> None:
    with pytest.raises(CannotStart) as refusal:
        HeldPorts(taken, print).take(["rest", "orders"])

    assert f"port {taken.port('rest')} (rest) is used by process {os.getpid()}" in str(refusal.value)
    assert str(taken.port("orders")) not in str(refusal.value)


def test_a_port_that_only_an_outgoing_connection_holds_is_waited_for(tmp_path: Path) -> None:
    place, told = Place(tmp_path, free_offset()), list[str]()
    outgoing = socket.socket()
    outgoing.bind(("127.0.0.1", place.port("rest")))
    leaving = threading.Timer(0.2, outgoing.close)
    leaving.start()

    ports = HeldPorts(place, told.append)
    ports.take(["rest"])

    leaving.join()
    ports.release()
    assert f"waiting for port {place.port('rest')} (rest)" in told[0]


def test_a_held_port_is_for_our_servers_and_for_no_outgoing_connection(tmp_path: Path) -> None:
    place = Place(tmp_path, free_offset())
    ports = HeldPorts(place, print)
    ports.take(["rest"])

    with socket.create_server(("127.0.0.1", place.port("rest"))) as server:
        assert server.getsockname()[1] == place.port("rest")
    with socket.socket() as outgoing, pytest.raises(OSError, match="in use"):
        outgoing.bind(("127.0.0.1", place.port("rest")))
    ports.release()


def test_a_port_is_free_again_after_its_holder_left(taken: Place) -> None:
    assert not is_free(taken.port("rest"))
    assert is_free(taken.port("orders"))


def test_an_offset_for_tests_has_all_its_ports_free() -> None:
    offset = free_offset()

    assert all(is_free(port + offset) for port in PORTS.values())


def test_a_further_port_is_anothers_to_listen_at_and_no_other_stacks() -> None:
    ours, theirs = FurtherPorts(), FurtherPorts()

    face, metrics = ours.of("order_service.2")

    assert ours.of("order_service.2") == (face, metrics)
    assert not {face, metrics} & set(theirs.of("order_service.2"))
    with socket.create_server(("127.0.0.1", face)) as server:
        assert server.getsockname()[1] == face
    ours.release_all()
    theirs.release_all()
    assert is_free(face)


def test_a_port_that_another_stack_only_holds_is_not_free(tmp_path: Path) -> None:
    """Two stacks at one port would both start, and whichever server came second could not listen."""
    place = Place(tmp_path, free_offset())
    ports = HeldPorts(place, print)
    ports.take(["orders"])

    assert not is_free(place.port("orders"))

    ports.release()
    assert is_free(place.port("orders"))
