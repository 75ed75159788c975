"""HTTP that two readers could read in two ways, said to the gateway's own process over bare sockets."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import take_orders
from tests.services.gateway.test_process import Process
from tests.waiting import until

ORDER = b'{"customer_id": "c", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}'
POST = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
LAST = GET + b"Connection: close\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(ORDER)


@pytest.fixture(scope="module")
def gateway(stage_of_all: Stage) -> Iterator[int]:
    """The port of `python -m gateway`."""
    process = Process(stage_of_all)
    assert until(process.is_live)
    yield process.port
    process.running.kill()
    process.running.communicate()


def heard(port: int, *said: bytes) -> bytes:
    """All that comes back until the connection is closed; each thing is said when the one before was taken."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = b""
        try:
            for piece in said:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X-A: b\r\n c\r\n",
        b"X-A: b\rX-B: c\r\n",
        b"X-A: b\0c\r\n",
        b"Host: y\r\n",
        b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n",
        b"Content-Type: text/plain\r\n",
        b"Connection: Upgrade\r\nUpgrade: foo\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_not_read_at_all(gateway: int, head: bytes) -> None:
    answer = heard(gateway, POST + head + b"\r\n0\r\n\r\n" + LAST)

    assert statuses(answer) == [400], "what stands behind it is not taken for a request"
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == "malformed_request"


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n{}\r\n", b"2;\n\n\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n"],
)
def test_pieces_that_do_not_add_up_are_refused(gateway: int, body: bytes) -> None:
    answer = heard(gateway, POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + LAST)

    assert statuses(answer) in ([400], [422]), "no second request was read out of it"


@pytest.mark.parametrize(
    "said",
    [
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live\r\n\r\n",
        b"GET /health/live HTTP/3.7\r\nHost: x\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health/live HTTP/1.1\nHost: x\n\n",
        b"FOO /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /api/v1/products/\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ],
)
def test_what_is_not_our_http_is_refused(gateway: int, said: bytes) -> None:
    assert statuses(heard(gateway, said)) == [400]


@pytest.mark.parametrize("override", [b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override"])
def test_nothing_but_the_method_is_the_method(gateway: int, override: bytes) -> None:
    path = b"/api/v1/orders/0190b6b2-0000-7000-8000-000000000000/cancel"
    got = b"GET " + path + b"?_method=POST HTTP/1.1\r\nHost: x\r\n" + override + b": POST\r\nConnection: close\r\n\r\n"

    assert statuses(heard(gateway, got)) == [405]
    traced = b"TRACE /health/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n"
    assert b"secret" not in heard(gateway, traced)


@pytest.mark.parametrize("wish", [b"h2c", b"foo", b"websocket"])
def test_a_body_is_read_though_another_protocol_is_wished_for(gateway: int, stage: Stage, wish: bytes) -> None:
    """Java's client asks for h2c first. A parser that takes the body for the next request is how smuggling works."""
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", take_orders)
    head = POST + b"Connection: Upgrade\r\nUpgrade: " + wish + b"\r\n" + LENGTH + b"\r\n"

    assert statuses(heard(gateway, head + ORDER + LAST)) == [201, 200]
    assert statuses(heard(gateway, head, ORDER[:9], ORDER[9:] + LAST)) == [201, 200]
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(smuggled)
    other = POST + b"Connection: Upgrade\r\nUpgrade: " + wish + b"\r\n" + length
    assert statuses(heard(gateway, other, smuggled, LAST)) == [400, 200], "one refusal, and the request behind it"


def test_requests_that_are_sent_ahead_are_answered_in_turn_and_each_by_its_own(gateway: int, stage: Stage) -> None:
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", take_orders)
    good = POST + LENGTH + b"\r\n" + ORDER
    bad = POST + b"Content-Length: 1\r\n\r\n["

    assert statuses(heard(gateway, good + bad + good + LAST)) == [201, 400, 201, 200]


def test_a_broken_request_does_not_spoil_the_answer_to_the_one_before(gateway: int, stage: Stage) -> None:
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", take_orders)
    answer = heard(gateway, POST + LENGTH + b"\r\n" + ORDER + b"NONSENSE\r\n\r\n")

    assert statuses(answer) in ([201], [201, 400], [])


def test_a_body_behind_a_get_is_not_the_next_request(gateway: int) -> None:
    assert statuses(heard(gateway, GET + b"Content-Length: %d\r\n\r\n" % len(LAST) + LAST)) == [200]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"X: " + b"a" * 60_000 + b"\r\n", 200),
        (b"X: " + b"a" * 100_000 + b"\r\n", 431),
        (b"".join(b"X-%d: a\r\n" % number for number in range(3_000)), 200),
        (b"".join(b"X-%d: a\r\n" % number for number in range(12_000)), 431),
    ],
)
def test_large_heads_are_read_up_to_a_bound(gateway: int, more: bytes, status: int) -> None:
    assert statuses(heard(gateway, GET + more + b"Connection: close\r\n\r\n")) == [status]


def test_what_stands_in_a_query_never_becomes_a_header(gateway: int) -> None:
    path = b"/api/v1/products?page_token=a%0d%0aX-Injected:%20b"
    answer = heard(gateway, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert b"x-injected" not in answer.partition(b"\r\n\r\n")[0].lower()
