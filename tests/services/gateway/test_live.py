"""Watching over HTTP and WebSocket: what clients are told, how they go on, and what becomes of those that misbehave."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.live import upstream
from gateway.live.listener import MOST
from gateway.live.socket_protocol import SocketProtocol
from gateway.rest.protocol import Protocol
from gateway.settings import GatewaySettings
from protos.orders.v1 import orders_pb2 as pb
from tests.services.gateway.broadcast import UNKNOWN, WATCH, Broadcast, an_event
from tests.services.gateway.conftest import Stage, serving
from tests.waiting import until


@pytest.fixture
def broadcast(stage: Stage) -> Iterator[Broadcast]:
    made = Broadcast()
    stage.orders.on(WATCH, made.serve)
    yield made
    # So that the gateway's next stream is the next test's.
    stage.orders.forget()
    stage.run(made.break_off())
    assert until(lambda: not made.streams)


class Stream:
    """Server-Sent Events as a browser reads them."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.iter_lines()
        self.last_id = ""

    def block(self) -> dict[str, str]:
        """The next lines up to an empty one, by name; comments stand under the empty name."""
        found: dict[str, str] = {}
        for line in self.lines:
            if not line:
                break
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        self.last_id = found.get("id", self.last_id)
        return found

    def event(self) -> dict[str, str]:
        """The next block that is one."""
        while "data" not in (found := self.block()):
            assert found, "the stream is over"
        return found


def test_events_come_as_the_standard_of_the_web_wants_them(
    stage: Stage, client: httpx.Client, broadcast: Broadcast
) -> None:
    with client.stream("GET", "/customers/c-17/events") as answer:
        stream = Stream(answer)
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        assert int(stream.block()["retry"]) > 0

        stage.run(broadcast.happen(an_event(1), an_event(2, "c-18"), an_event(3, type_="OrderCompleted")))

        first, second = stream.event(), stream.event()
        assert (first["id"], first["event"]) == ("1", "OrderPlaced")
        assert (second["id"], second["event"]) == ("3", "OrderCompleted")
        assert json.loads(first["data"]) == {
            "order_id": "0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11", "customer_id": "c-17", "status": "PENDING",
            "payment_status": "NONE", "total_amount": "5.10", "currency": "GBP", "reason": "Placed.", "version": 1,
            "at": "2026-01-31T12:00:00Z",
        }  # fmt: skip


def test_a_client_is_gone_when_it_hangs_up(client: httpx.Client, broadcast: Broadcast) -> None:
    with client.stream("GET", "/customers/c-17/events") as answer:
        stream = Stream(answer)
        assert stream.block()
        assert until(lambda: broadcast.watching == 1)
    assert until(lambda: not broadcast.watching)


@pytest.mark.parametrize("way", ["header", "query"])
def test_who_comes_back_names_the_last_id(way: str, client: httpx.Client, broadcast: Broadcast) -> None:
    broadcast.past = [an_event(number) for number in range(1, 5)]
    more: dict[str, Any] = (
        {"headers": {"Last-Event-ID": "2"}} if way == "header" else {"params": {"last_event_id": "2"}}
    )
    with client.stream("GET", "/customers/c-17/events", **more) as answer:
        stream = Stream(answer)
        assert [stream.event()["id"], stream.event()["id"]] == ["3", "4"]


def test_a_client_notices_nothing_of_an_order_service_that_is_started_again(
    stage: Stage, client: httpx.Client, broadcast: Broadcast
) -> None:
    with client.stream("GET", "/customers/c-17/events") as answer:
        stream = Stream(answer)
        stage.run(broadcast.happen(an_event(1)))
        assert stream.event()["id"] == "1"

        broadcast.past.append(an_event(2))  # while nobody was told
        stage.run(broadcast.break_off())

        assert stream.event()["id"] == "2"
        stage.run(broadcast.happen(an_event(3)))
        assert stream.event()["id"] == "3"
    assert [asked.request.last_event_id for asked in broadcast.asked] == ["", "1"]


def test_what_all_know_moves_an_idle_client_on(
    stage: Stage, client: httpx.Client, broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "BEAT_SECONDS", 1)
    with client.stream("GET", "/customers/c-17/events") as answer:
        stream = Stream(answer)
        stream.block()
        stage.run(broadcast.tell(pb.BatchWatchOrdersResponse(position="77")))
        assert until(lambda: stream.block() and stream.last_id == "77")
        stage.run(broadcast.break_off())
        assert until(lambda: len(broadcast.asked) == 2)
    assert broadcast.asked[1].request.last_event_id == "77"


def test_a_refused_watch_is_a_problem_and_no_stream(client: httpx.Client, broadcast: Broadcast) -> None:
    answer = client.get(f"/orders/{UNKNOWN}/events")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/customers/c-17/events?order_id=x", "/customers/c-17/events?what=x"])
def test_parameters_that_are_none_are_named(path: str, client: httpx.Client, broadcast: Broadcast) -> None:
    assert client.get(path).status_code == 422


def test_other_methods_are_refused_and_head_does_not_wait(client: httpx.Client, broadcast: Broadcast) -> None:
    assert client.post("/customers/c-17/events").status_code == 405
    head = client.head("/customers/c-17/events")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
    assert until(lambda: not broadcast.watching)


def test_without_an_order_service_there_is_nothing_to_watch(
    client: httpx.Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "JOIN_SECONDS", 0.3)
    answer = client.get("/customers/c-17/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


class Impatient(Protocol):
    stuck_seconds = 0.3


class ImpatientSockets(SocketProtocol):
    stuck_seconds = 0.3


@pytest.fixture
def impatient(stage: Stage) -> Iterator[int]:
    """The port of a gateway that does not bear with clients who do not read, and lets three watch."""
    addresses: dict[str, Any] = {f"{name}_address": f"127.0.0.1:{port}" for name, port in stage.ports.items()}
    settings = GatewaySettings(**addresses, gateway_max_watching=3)
    gateway = serving(settings, Impatient, ImpatientSockets)
    port = stage.run(gateway.__aenter__())
    yield port
    stage.run(gateway.__aexit__(None, None, None))


def test_a_client_that_does_not_read_is_cut_off_and_costs_nobody_else(
    stage: Stage, impatient: int, broadcast: Broadcast
) -> None:
    url = f"http://127.0.0.1:{impatient}/api/v1/customers/c-17/events"
    with socket.create_connection(("127.0.0.1", impatient), timeout=30) as deaf, httpx.stream("GET", url) as answer:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /api/v1/customers/c-17/events HTTP/1.1\r\nHost: x\r\n\r\n")
        stream = Stream(answer)
        stream.block()
        assert until(lambda: broadcast.watching == 2)

        long = "x" * 20_000
        for number in range(1, MOST // 2):
            stage.run(broadcast.happen(_long(number, long)))
            assert stream.event()["id"] == str(number)

        assert until(lambda: broadcast.watching == 1), "the deaf one is gone"


def _long(number: int, reason: str) -> pb.OrderEvent:
    event = an_event(number)
    event.reason = reason
    return event


def test_a_bounded_number_may_watch(impatient: int, broadcast: Broadcast) -> None:
    base = f"ws://127.0.0.1:{impatient}/ws?customer_id=c-17"
    with connect(base), connect(base), connect(base):
        answer = httpx.get(f"http://127.0.0.1:{impatient}/api/v1/customers/c-17/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_streams_end_in_order_when_the_gateway_stops(stage: Stage, broadcast: Broadcast) -> None:
    addresses: dict[str, Any] = {f"{name}_address": f"127.0.0.1:{port}" for name, port in stage.ports.items()}
    gateway = serving(GatewaySettings(**addresses))
    port = stage.run(gateway.__aenter__())
    with (
        httpx.stream("GET", f"http://127.0.0.1:{port}/api/v1/customers/c-17/events") as answer,
        connect(f"ws://127.0.0.1:{port}/ws?customer_id=c-17") as ws,
    ):
        stream = Stream(answer)
        stream.block()
        ws.recv()
        stage.run(gateway.__aexit__(None, None, None))
        assert "go on behind" in stream.block()[""]
        assert stream.block() == {}, "whole to its last byte"
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


# ---- WebSocket


@pytest.fixture
def address(stage: Stage) -> str:
    return f"ws://127.0.0.1:{stage.port}"


def message(ws: ClientConnection) -> Any:
    return json.loads(ws.recv(timeout=10))


@pytest.mark.parametrize("path", ["/ws", "/api/v1/ws"])
def test_a_channel_tells_the_same(path: str, stage: Stage, address: str, broadcast: Broadcast) -> None:
    broadcast.past = [an_event(1), an_event(2)]
    with connect(f"{address}{path}?customer_id=c-17&last_event_id=1") as ws:
        assert message(ws) == {"channel": "orders.c-17", "event": "watching", "id": "1", "data": None}
        missed = message(ws)
        assert (missed["channel"], missed["event"], missed["id"]) == ("orders.c-17", "OrderPlaced", "2")
        assert missed["data"]["total_amount"] == "5.10"
        stage.run(broadcast.happen(an_event(3)))
        assert message(ws)["id"] == "3"
    assert until(lambda: not broadcast.watching)


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        ("/ws", 422, {}),
        ("/ws?customer_id=", 422, {}),
        ("/ws?customer_id=c-17&who=me", 422, {}),
        ("/elsewhere?customer_id=c-17", 404, {}),
        ("/ws?customer_id=c-17", 403, {"Origin": "https://evil.example"}),
        ("/ws?customer_id=c-17", 403, {"Origin": "null"}),
        ("/ws?customer_id=c-17", 403, {"Origin": "http://[::1"}),
        ("/ws?customer_id=c-17&customer_id=c-18", 422, {}),
        ("/ws?customer_id=c-17", 431, {"Cookie": "x" * 9_000}),
        ("/ws?customer_id=c-17&last_event_id=" + "9" * 9_000, 431, {}),
    ],
)
def test_a_handshake_that_is_refused_is_a_problem(
    path: str, status: int, headers: dict[str, str], address: str, broadcast: Broadcast
) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(address + path, additional_headers=headers):
        pass
    response = refused.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body)["status"] == status
    assert not broadcast.watching


def test_a_page_of_our_own_may_watch(stage: Stage, address: str, broadcast: Broadcast) -> None:
    origin = f"http://127.0.0.1:{stage.port}"
    with connect(f"{address}/ws?customer_id=c-17", additional_headers={"Origin": origin}) as ws:
        assert message(ws)["event"] == "watching"


def test_a_huge_message_closes(address: str, broadcast: Broadcast) -> None:
    with connect(f"{address}/ws?customer_id=c-17") as ws:
        message(ws)
        ws.send("x" * 100_000)
        assert code_of(ws) == 1009
    assert until(lambda: not broadcast.watching)


def test_a_flood_of_messages_closes(address: str, broadcast: Broadcast) -> None:
    with connect(f"{address}/ws?customer_id=c-17") as ws:
        message(ws)
        with suppress(ConnectionClosed):
            for _ in range(30):
                ws.send("hello?")
        assert code_of(ws) == 1008
    assert until(lambda: not broadcast.watching)


def test_a_few_messages_are_borne(stage: Stage, address: str, broadcast: Broadcast) -> None:
    with connect(f"{address}/ws?customer_id=c-17") as ws:
        message(ws)
        ws.send("hello?")
        ws.send(b"\x00\x01")
        stage.run(broadcast.happen(an_event(1)))
        assert message(ws)["id"] == "1"


def test_a_socket_that_is_not_read_is_closed(stage: Stage, impatient: int, broadcast: Broadcast) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=30) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            b"GET /ws?customer_id=c-17 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert until(lambda: broadcast.watching)
        for number in range(1, 500):
            stage.run(broadcast.happen(_long(number, "x" * 20_000)))
        assert until(lambda: not broadcast.watching)


def code_of(ws: ClientConnection) -> int:
    """How it was closed."""
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(timeout=10)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
