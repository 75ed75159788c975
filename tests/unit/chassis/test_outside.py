"""Asking a party outside: what was never sent, what was answered wrongly and what was not answered, told apart."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from chassis import tracing
from chassis.outside import ErrorAnswer, Limits, NotSent, Outside, OutsideTrouble, Unanswered

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_TIMEOUT: Final = 0.3


@asynccontextmanager
async def _asking(answering: Answering, **limits: Any) -> AsyncIterator[Outside]:
    """Somebody to ask who answers every connection so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            await answering(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outside = Outside("tests", "them", f"http://127.0.0.1:{port}", Limits(**{"timeout": _TIMEOUT} | limits))
    try:
        yield outside
    finally:
        await outside.close()
        server.close()


def _saying(status: int, body: bytes, *, length: int | None = None) -> Answering:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} So\r\ncontent-length: {len(body) if length is None else length}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return answer


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _hung_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Reads the request, and closes."""


async def _trickling(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 So\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(1_000):
        writer.write(b" ")
        await asyncio.sleep(0.01)


def _amount(status: int, document: Any) -> int:
    if status != 200:
        raise ValueError(status)
    return int(document["amount"])


async def _trouble(outside: Outside) -> OutsideTrouble:
    with pytest.raises(OutsideTrouble) as caught:
        await outside.ask("GET", "/amount", _amount)
    return caught.value


def _met(answering: Answering) -> OutsideTrouble:
    async def meet() -> OutsideTrouble:
        async with _asking(answering) as outside:
            return await _trouble(outside)

    return asyncio.run(meet())


def test_an_answer_is_read_by_who_asked() -> None:
    async def ask() -> int:
        async with _asking(_saying(200, b'{"amount": 510}'), timeout=5.0) as outside:
            return await outside.ask("POST", "/amounts", _amount, document={"of": "c-1"})

    assert asyncio.run(ask()) == 510


def test_the_trace_goes_along_and_the_token_too() -> None:
    heads: list[bytes] = []

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 So\r\ncontent-length: 13\r\n\r\n{"amount": 1}')
        writer.close()

    async def ask() -> None:
        server = await asyncio.start_server(listening, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        outside = Outside("tests", "them", url, Limits(timeout=5.0), token="between-us")
        tracing.current.set("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
        await outside.ask("GET", "/amount", _amount)
        await outside.close()
        server.close()

    asyncio.run(ask())

    assert b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-" in heads[0]
    assert b"authorization: Bearer between-us" in heads[0]


def test_a_refused_connection_is_not_sent() -> None:
    async def meet(port: int) -> OutsideTrouble:
        return await _trouble(Outside("tests", "them", f"http://127.0.0.1:{port}", Limits(timeout=_TIMEOUT)))

    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # held, and not listened on
        assert isinstance(asyncio.run(meet(nobody.getsockname()[1])), NotSent)


@pytest.mark.parametrize(
    "answering",
    [
        pytest.param(_saying(500, b""), id="internal error"),
        pytest.param(_saying(503, b'{"amount": 510}'), id="busy, whatever it says"),
        pytest.param(_saying(429, b""), id="too many"),
        pytest.param(_saying(302, b""), id="elsewhere"),
        pytest.param(_saying(200, b"<html>"), id="no JSON"),
        pytest.param(_saying(200, b"[]"), id="another document"),
        pytest.param(_saying(200, b""), id="nothing"),
        pytest.param(_saying(404, b"{}"), id="what the reader does not know"),
        pytest.param(_saying(200, b" " * 1_100_000), id="more than anybody reads"),
    ],
)
def test_errors_and_nonsense_are_error_answers(answering: Answering) -> None:
    assert isinstance(_met(answering), ErrorAnswer)


@pytest.mark.parametrize(
    "answering",
    [
        pytest.param(_silent, id="silence"),
        pytest.param(_hung_up, id="hung up"),
        pytest.param(_trickling, id="a byte at a time"),
        pytest.param(_saying(200, b'{"am', length=100), id="cut off"),
    ],
)
def test_what_was_sent_and_not_answered_is_neither_error_nor_unsent(answering: Answering) -> None:
    """Said to be an error, the charge would be repeated; said to be unsent, it would be given up as harmless."""
    assert isinstance(_met(answering), Unanswered)


def test_a_request_that_found_no_free_connection_is_not_sent() -> None:
    async def meet() -> list[OutsideTrouble]:
        async with _asking(_silent, connections=1) as outside:
            return await asyncio.gather(*(_trouble(outside) for _ in range(3)))

    assert sorted(type(trouble).__name__ for trouble in asyncio.run(meet())) == ["NotSent", "NotSent", "Unanswered"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_request_that_was_given_up_leaves_its_connection_to_nobody(times: int) -> None:
    """Given up twice at once, by its own time-out and by who asked, httpx leaves a connection behind that is neither
    used nor free: each later question that came upon it ended unanswered."""
    came = asyncio.Event()
    answers = [_saying(200, b'{"amount": 1}'), _silent]

    async def first_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await answers.pop()(reader, writer)

    async def live() -> int:
        async with _asking(first_silent, connections=1, timeout=5.0) as outside:
            asking = asyncio.create_task(outside.ask("GET", "/amount", _amount))
            await came.wait()
            for _ in range(times):
                asking.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await asking
            return await outside.ask("GET", "/amount", _amount)

    assert asyncio.run(live()) == 1


def test_after_failures_in_a_row_nothing_is_sent_until_it_has_rested() -> None:
    is_ill, requests = [True], []

    async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(1)
        await _saying(500 if is_ill[0] else 200, b'{"amount": 1}')(reader, writer)

    async def live() -> list[str]:
        async with _asking(failing, failures=3, rest=0.2, timeout=5.0) as outside:
            met = [type(await _trouble(outside)).__name__ for _ in range(5)]
            await asyncio.sleep(0.25)
            met.append(type(await _trouble(outside)).__name__)
            met.append(type(await _trouble(outside)).__name__)
            is_ill[0] = False
            await asyncio.sleep(0.25)
            met += [str(await outside.ask("GET", "/amount", _amount)) for _ in range(2)]
            return met

    error, unsent = "ErrorAnswer", "NotSent"
    assert asyncio.run(live()) == [error, error, error, unsent, unsent, error, unsent, "1", "1"]
    assert len(requests) == 6


def test_an_answer_between_failures_keeps_it_closed() -> None:
    statuses = iter([500, 500, 200, 500, 500, 200])

    async def changing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _saying(next(statuses), b'{"amount": 1}')(reader, writer)

    async def live() -> int:
        async with _asking(changing, failures=3, timeout=5.0) as outside:
            for _ in range(2):
                await _trouble(outside)
                await _trouble(outside)
                last = await outside.ask("GET", "/amount", _amount)
            return last

    assert asyncio.run(live()) == 1
