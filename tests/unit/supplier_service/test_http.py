"""What is made of the answers of suppliers over HTTP: whatever is no plain answer decides nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, cast

import orjson
import pytest

from chassis.outside import Limits
from supplier_service.adapters.http import HttpSupplier
from supplier_service.domain import (
    Accepted,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    Rejected,
    SupplierTrouble,
    TooLate,
    Underway,
)
from supplier_service.ports import Named, ReserveRequest

_KEY: Final = "0190b6b2-0000-7000-8000-000000000001"
_GOODS: Final = ReserveRequest(_KEY, "acme", "85123A", 3, "")
_NAMED: Final = Named(_KEY, "acme", "s-9")
_TIMEOUT: Final = 0.3

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Heard(NamedTuple):
    """A request as it came."""

    head: str
    body: bytes


def says(document: Any, status: int = 200) -> Reply:
    return says_raw(orjson.dumps(document), status)


def says_raw(body: bytes, status: int = 200, *, missing: int = 0) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} So\r\ncontent-length: {len(body) + missing}\r\n\r\n".encode() + body)

    return reply


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """No word."""


async def is_half_closed(writer: asyncio.StreamWriter) -> None:
    """Its side of the connection is shut, ours stays open."""
    writer.write_eof()
    await asyncio.sleep(_TIMEOUT * 2)


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 So\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.01)


@asynccontextmanager
async def supplier_that(replies: Iterator[Reply], heard: list[Heard], **limits: Any) -> AsyncIterator[HttpSupplier]:
    under_way: set[asyncio.Task[Any]] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = head.lower().partition("content-length: ")[2].partition("\r")[0]
        heard.append(Heard(head, await reader.readexactly(int(length or 0))))
        await next(replies)(writer)

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    supplier = HttpSupplier(f"http://127.0.0.1:{port}", Limits(**{"timeout": _TIMEOUT} | limits))
    try:
        yield supplier
    finally:
        await supplier.close()
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def answer_to(ask: Callable[[HttpSupplier], Awaitable[Any]], reply: Reply, heard: list[Heard] | None = None) -> Any:
    """What comes of one question that is replied to so; SupplierTrouble is returned."""

    async def meet() -> Any:
        async with supplier_that(iter([reply]), [] if heard is None else heard) as supplier:
            try:
                return await ask(supplier)
            except SupplierTrouble as trouble:
                return trouble

    return asyncio.run(meet())


def reserving(supplier: HttpSupplier) -> Awaitable[Any]:
    return supplier.reserve(_GOODS)


def checking(supplier: HttpSupplier) -> Awaitable[Any]:
    return supplier.check(_NAMED)


def cancelling(supplier: HttpSupplier) -> Awaitable[Any]:
    return supplier.cancel(_NAMED)


@pytest.mark.parametrize(
    ("ask", "document", "answer"),
    [
        (reserving, {"accepted": True, "ref": "s-9"}, Accepted("s-9")),
        (reserving, {"accepted": True, "ref": None}, Accepted(_KEY)),
        (reserving, {"accepted": False, "ref": ""}, Rejected("")),
        (reserving, {"accepted": False, "reason": "No."}, Rejected("No.")),
        (checking, {"status": "ok", "of a later release": [1]}, Delivered()),
        (checking, {"status": "delayed"}, Delayed()),
        (checking, {"status": "underway"}, Underway()),
        (checking, {"status": "fail", "reason": "Burnt down."}, Failed("Burnt down.")),
        (checking, {"status": "fail", "reason": {"a": "\x00"}}, Failed("")),
        (cancelling, {"cancelled": True}, Cancelled()),
        (cancelling, {"cancelled": False}, TooLate()),
    ],
)
def test_an_answer_is_what_it_says(ask: Any, document: Any, answer: Any) -> None:
    assert answer_to(ask, says(document)) == answer


@pytest.mark.parametrize("ask", [reserving, checking, cancelling])
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(says_raw(b"<html>"), id="no JSON"),
        pytest.param(says_raw(b""), id="nothing"),
        pytest.param(says([]), id="no object"),
        pytest.param(says({"accepted": "yes", "status": "lost", "cancelled": 1}), id="other words"),
        pytest.param(says({"accepted": True, "ref": "..", "status": ["ok"]}), id="a name that leads elsewhere"),
        pytest.param(says({"accepted": True, "ref": 7}), id="a name that is none"),
        pytest.param(says({"accepted": True, "status": "ok", "cancelled": True}, 404), id="unknown, whatever it says"),
        pytest.param(says({"accepted": True, "status": "ok", "cancelled": True}, 500), id="error, whatever it says"),
        pytest.param(says({"accepted": True}, 302), id="elsewhere"),
        pytest.param(says_raw(b'{"accepted": tr', missing=20), id="cut off"),
        pytest.param(hangs_up, id="hung up"),
        pytest.param(is_half_closed, id="half closed"),
        pytest.param(drips, id="a byte at a time"),
    ],
)
def test_whatever_is_no_plain_answer_decides_nothing(ask: Any, reply: Reply) -> None:
    assert isinstance(answer_to(ask, reply), SupplierTrouble)


def test_a_request_for_goods_says_what_is_wanted_under_its_key_and_nothing_of_scenarios() -> None:
    heard: list[Heard] = []

    answer_to(reserving, says({"accepted": False}), heard)

    [asked] = heard
    assert asked.head.startswith("POST /acme/reserve HTTP/1.1")
    assert f"idempotency-key: {_KEY}" in asked.head
    assert orjson.loads(asked.body) == {"sku": "85123A", "quantity": 3, "reference": _KEY}


@pytest.mark.parametrize(("reference", "name"), [("s-9", "s-9"), ("", _KEY), ("a/b?c", "a%2Fb%3Fc")])
def test_a_supplier_order_is_named_as_the_supplier_does_where_that_is_known(reference: str, name: str) -> None:
    heard: list[Heard] = []

    answer_to(lambda supplier: supplier.check(Named(_KEY, "Acme & Co", reference)), says({"status": "ok"}), heard)

    assert heard[0].head.startswith(f"GET /Acme%20%26%20Co/status/{name} HTTP/1.1")


def test_a_refused_connection_decides_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # held, and not listened on
        supplier = HttpSupplier(f"http://127.0.0.1:{nobody.getsockname()[1]}", Limits(timeout=_TIMEOUT))
        with pytest.raises(SupplierTrouble):
            asyncio.run(supplier.check(_NAMED))


def outcomes(replies: list[Reply], heard: list[Heard], times: int, rested: tuple[int, ...] = ()) -> list[bool]:
    """Whether each of so many questions had an answer; the breaker has rested before those that are named."""

    async def live() -> list[bool]:
        met = []
        async with supplier_that(iter(replies), heard, failures=3, rest=0.2) as supplier:
            for number in range(times):
                if number in rested:
                    await asyncio.sleep(0.25)
                try:
                    met.append(await supplier.check(_NAMED) == Delivered())
                except SupplierTrouble:
                    met.append(False)
        return met

    return asyncio.run(live())


def test_a_supplier_that_fails_too_often_is_left_alone_for_a_moment() -> None:
    heard: list[Heard] = []

    met = outcomes([says({}, 500)] * 3 + [says({"status": "ok"})] * 2, heard, times=7, rested=(5,))

    assert met == [False] * 5 + [True] * 2
    assert len(heard) == 5


def test_what_a_supplier_does_not_know_is_no_reason_to_leave_it_alone() -> None:
    heard: list[Heard] = []

    outcomes([says({}, 404)] * 6 + [hangs_up] * 2, heard, times=8)

    assert len(heard) == 8
