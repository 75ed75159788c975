"""Ports that are taken are named, with their holder."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.place import PORTS, Place
from deploy.local.ports import free_offset, is_free, require_free
from deploy.local.refusals import CannotStart


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Place]:
    """A place whose REST port somebody holds: this very process."""
    place = Place(tmp_path, free_offset())
    with socket.create_server(("127.0.0.1", place.port("rest"))):
        yield place


def test_a_taken_port_is_told_with_its_number_its_use_and_its_holder(taken: Place) -> None:
    with pytest.raises(CannotStart) as refusal:
        require_free(taken, ["rest", "orders"])

    assert f"port {taken.port('rest')} (rest) is used by process {os.getpid()}" in str(refusal.value)
    assert str(taken.port("orders")) not in str(refusal.value)


def test_a_port_that_only_a_passing_connection_holds_is_waited_for(tmp_path: Path) -> None:
    place = Place(tmp_path, free_offset())
    passing = socket.socket()
    passing.bind(("127.0.0.1", place.port("rest")))
    leaving = threading.Timer(0.2, passing.close)
    leaving.start()

    require_free(place, ["rest"])

    leaving.join()


def test_a_port_is_free_again_after_its_holder_left(taken: Place) -> None:
    assert not is_free(taken.port("rest"))
    assert is_free(taken.port("orders"))


def test_an_offset_for_tests_has_all_its_ports_free() -> None:
    offset = free_offset()

    assert all(is_free(port + offset) for port in PORTS.values())
