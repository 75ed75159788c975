"""What uvicorn leaves open: requests that never end, heads without bounds, and what is no HTTP at all."""

import json
import socket
from collections.abc import Iterator

import pytest

from gateway.rest.protocol import Protocol
from gateway.settings import GatewaySettings
from tests.services.gateway.conftest import Stage, serving

HEAD = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


class Hasty(Protocol):
    quiet_seconds = 0.2


class Strict(Protocol):
    head_seconds = 0.5


@pytest.fixture
def strict(stage: Stage) -> Iterator[int]:
    """The port of a gateway that waits for bytes, but not for a head that comes one byte at a time."""
    gateway = serving(GatewaySettings(), Strict)
    port = stage.run(gateway.__aenter__())
    yield port
    stage.run(gateway.__aexit__(None, None, None))


@pytest.fixture
def hasty(stage: Stage) -> Iterator[int]:
    """The port of a gateway without patience."""
    gateway = serving(GatewaySettings(), Hasty)
    port = stage.run(gateway.__aenter__())
    yield port
    stage.run(gateway.__aexit__(None, None, None))


def heard(port: int, said: bytes) -> bytes:
    """All that comes back until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(said)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def problem_in(answer: bytes) -> dict[str, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    found: dict[str, str] = json.loads(body)
    assert f"x-trace-id: {found['trace_id']}".encode() in head
    return found


@pytest.mark.parametrize("said", [b"", b"POST /api/v1/or", HEAD, HEAD + b"X-A: b\r\n"])
def test_a_head_that_does_not_end_is_given_up(hasty: int, said: bytes) -> None:
    answer = heard(hasty, said)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert problem_in(answer)["error_code"] == "request_timeout"


def test_a_body_that_does_not_end_is_given_up(hasty: int) -> None:
    head = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"

    assert heard(hasty, head + b'{"a"').startswith(b"HTTP/1.1 408 ")


def test_who_speaks_slowly_but_speaks_is_heard(hasty: int) -> None:
    with socket.create_connection(("127.0.0.1", hasty), timeout=0.05) as connection:
        for place in range(0, len(HEAD), 6):
            connection.sendall(HEAD[place : place + 6])
            with pytest.raises(TimeoutError):
                connection.recv(1)
        connection.sendall(b"\r\n")
        connection.settimeout(5)

        assert connection.recv(64).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [HEAD, HEAD + b"\r\n" + HEAD])
def test_a_head_that_comes_byte_by_byte_is_given_up_all_the_same(strict: int, begun: bytes) -> None:
    """Slowloris: each byte in time, the head never whole; also on a connection that was good once."""
    answer = b""
    with socket.create_connection(("127.0.0.1", strict), timeout=0.05) as connection:
        connection.sendall(begun)
        for _ in range(100):
            try:
                if not (piece := connection.recv(65536)):
                    break
                answer += piece
            except TimeoutError:
                connection.sendall(b"X")

    assert b"HTTP/1.1 408 " in answer


def test_line_breaks_between_requests_do_not_keep_a_connection_for_ever(hasty: int) -> None:
    with socket.create_connection(("127.0.0.1", hasty), timeout=10) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"\r\n")

        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_kept_after_a_request(hasty: int) -> None:
    with socket.create_connection(("127.0.0.1", hasty), timeout=5) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.settimeout(3 * Hasty.quiet_seconds)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.sendall(HEAD + b"\r\n")

        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("said", [HEAD + b"X-A: " + b"a" * 100_000, b"GET /" + b"a" * 100_000])
def test_a_head_without_end_is_refused(stage: Stage, said: bytes) -> None:
    answer = heard(stage.port, said)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert problem_in(answer)["error_code"] == "head_too_large"


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"HELLO\r\n\r\n", HEAD + b"bad header\r\n\r\n"])
def test_what_is_no_http_is_a_problem_too(stage: Stage, said: bytes) -> None:
    answer = heard(stage.port, said)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem_in(answer)["error_code"] == "malformed_request"


def test_requests_that_are_sent_ahead_are_answered_in_turn(stage: Stage) -> None:
    answer = heard(stage.port, (HEAD + b"\r\n") * 3 + HEAD + b"Connection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 ") == 4
