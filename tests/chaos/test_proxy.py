"""What each fault of a link does to whoever speaks through it."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Link, Proxy


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that says everything back."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=say_back, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def say_back(connection: socket.socket) -> None:
    with connection:
        try:
            while piece := connection.recv(4096):
                connection.sendall(piece)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    opened = Proxy()
    yield opened
    opened.close()


@pytest.fixture
def link(proxy: Proxy, echo: tuple[str, int]) -> Link:
    return proxy.open("echo", echo)


@pytest.fixture
def caller(link: Link) -> Iterator[socket.socket]:
    with connected(link) as connection:
        assert said(connection, b"hello") == b"hello"
        yield connection


def connected(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def said(connection: socket.socket, words: bytes, timeout: float = 5) -> bytes:
    connection.settimeout(timeout)
    connection.sendall(words)
    return connection.recv(4096)


def test_a_healthy_link_carries_everything_both_ways(caller: socket.socket) -> None:
    sent = bytes(range(256)) * 4_000
    threading.Thread(target=caller.sendall, args=(sent,), daemon=True).start()
    received = b""
    while len(received) < len(sent):
        received += caller.recv(65_536)
    assert received == sent


def test_the_end_of_the_target_reaches_the_caller(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = proxy.open("short", listening.getsockname())
        with connected(link) as caller:
            target, _ = listening.accept()
            target.sendall(b"bye")
            target.close()
            assert caller.recv(10) == b"bye"
            assert caller.recv(10) == b""


def test_a_delay_is_borne_by_every_piece_in_both_directions(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.delay(0.1))
    begun = time.monotonic()
    assert said(caller, b"slow") == b"slow"
    assert time.monotonic() - begun >= 0.2


def test_what_was_dropped_arrives_when_the_link_heals(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.drop())
    with pytest.raises(TimeoutError):
        said(caller, b"anybody?", timeout=0.2)
    proxy.heal()
    caller.settimeout(5)
    assert caller.recv(4096) == b"anybody?"


def test_answers_on_a_one_way_link_arrive_when_it_heals(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.one_way())
    with pytest.raises(TimeoutError):
        said(caller, b"anybody?", timeout=0.2)
    proxy.heal()
    caller.settimeout(5)
    assert caller.recv(4096) == b"anybody?"


def test_a_link_that_slices_loses_nothing(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.slice())
    sent = bytes(range(256)) * 40
    caller.sendall(sent)
    caller.settimeout(5)
    received = b""
    while len(received) < len(sent):
        received += caller.recv(4096)
    assert received == sent


def test_a_half_open_connection_is_silent_and_then_cut(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.half_open())
    with pytest.raises(TimeoutError):
        said(caller, b"anybody?", timeout=0.2)
    proxy.heal()
    caller.settimeout(5)
    with pytest.raises(ConnectionResetError):
        caller.recv(4096)
    with connected(link) as another:
        assert said(another, b"hello") == b"hello"


def test_a_reset_cuts_what_is_open_and_lets_new_ones_in(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.reset())
    with pytest.raises(ConnectionResetError):
        caller.recv(4096)
    with connected(link) as another:
        assert said(another, b"hello") == b"hello"


def test_a_link_that_refuses_lets_nobody_in_until_it_heals(proxy: Proxy, link: Link, caller: socket.socket) -> None:
    proxy.do(link.refuse())
    assert not is_answered(link)
    proxy.heal()
    assert is_answered(link)


def is_answered(link: Link) -> bool:
    try:
        with connected(link) as connection:
            return said(connection, b"hello") == b"hello"
    except OSError:
        return False
