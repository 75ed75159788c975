"""Answers: status, headers and body as they leave."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from chassis import tracing
from gateway.rest.encoding import dump
from gateway.rest.problems import CONTENT_TYPE, Problem
from gateway.rest.requests import Request, Send

Headers = Sequence[tuple[bytes, bytes]]

JSON = b"application/json"

_PAGE_POLICY = (
    b"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    b"img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_API: Headers = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
REVALIDATED: Headers = ((b"cache-control", b"private, no-cache"), *_API[1:])
"""Of what has a version: whoever asked may keep it, and asks each time whether it still holds."""
_PAGE: Headers = (
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _PAGE_POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: Headers = ()
    common: Headers = _API

    @property
    def content(self) -> Headers:
        """What the body is; 204 and 304 have none."""
        if self.status in (204, 304):
            return ()
        return ((b"content-type", self.content_type), (b"content-length", b"%d" % len(self.body)))


@dataclass(slots=True)
class Stream:
    """An answer whose body comes in pieces; `left` is told that the client hung up, while the next one is awaited."""

    status: int
    pieces: AsyncGenerator[bytes]
    headers: Headers
    left: Callable[[], None] = lambda: None


def of_json(status: int, document: Mapping[str, Any], headers: Headers = ()) -> Answer:
    """An answer in JSON."""
    return Answer(status, dump(document), JSON, headers)


def of_page(page: bytes) -> Answer:
    """An HTML page that may run its own scripts and ask this gateway, and nothing else."""
    return Answer(200, page, b"text/html; charset=utf-8", common=_PAGE)


def of_problem(problem: Problem, request: Request) -> Answer:
    """The problem document for this request."""
    document = problem.document(request.path, tracing.trace_id_of(request.traceparent))
    return Answer(problem.status, dump(document), CONTENT_TYPE, problem.headers)


async def send_answer(send: Send, request: Request, answer: Answer) -> None:
    """Sends it; a client that is still sending its body is read for a while, so that it can read this."""
    is_interrupted = request.has_unread_body
    headers = [
        *answer.content,
        (b"x-trace-id", tracing.trace_id_of(request.traceparent).encode()),
        *answer.common,
        *answer.headers,
        *request.told,
    ]
    if is_interrupted:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if is_interrupted:
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        await request.drain()
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": answer.body})


async def send_stream(send: Send, request: Request, stream: Stream) -> None:
    """Sends the pieces as they come, at the pace at which the client takes them, until it has all or hangs up."""
    trace_id = tracing.trace_id_of(request.traceparent).encode()
    headers = [*stream.headers, (b"x-trace-id", trace_id), *_API, *request.told]
    await send({"type": "http.response.start", "status": stream.status, "headers": headers})
    async with aclosing(stream.pieces) as pieces, request.watched() as client:
        client.add_done_callback(lambda _: stream.left())
        async for piece in pieces:
            if client.done():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
