"""One HTTP request: its headers, query and body, read no further than its limits allow."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson

from chassis import tracing
from gateway.rest.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_SECONDS = 30.0
"""How long a JSON body may take to arrive."""
DRAIN_BYTES = 16 * 1000 * 1000
"""What is still read of a body that was refused, so that its sender can read the answer."""
DRAIN_SECONDS = 10.0


class ClientGone(Exception):
    """The client hung up before its request was complete: nobody is left to answer."""


class Request:
    """A request as the endpoints see it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.path: str = scope["path"]
        self.verb: str = scope.get("method", "GET")
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.variables: dict[str, str] = {}
        self.told: Sequence[tuple[bytes, bytes]] = ()
        """Headers that every answer to this request carries."""
        self.voucher = ""
        """What shows the services that the request was counted; nothing when it was not."""
        self.traceparent = tracing.from_headers(self.header(b"traceparent"), self.header(b"x-trace-id"))
        self._body_was_read = not self._declares_a_body
        self._taken = 0

    def header(self, name: bytes) -> str | None:
        """A header as text, whatever bytes it is made of; None when it was not sent."""
        value = self.headers.get(name)
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters, in order; Problem when it is not in UTF-8 or has too many."""
        try:
            return parse_qsl(self.query.decode("ascii"), keep_blank_values=True, max_num_fields=1000, errors="strict")
        except ValueError:
            raise Problem(400, "malformed_request", "The query cannot be read.") from None

    @property
    def media_type(self) -> str:
        """`Content-Type` without its parameters; empty when it was not sent."""
        return (self.header(b"content-type") or "").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int:
        """What `Content-Length` says; 0 when it was not sent."""
        value = self.headers.get(b"content-length", b"0")
        return int(value) if value.isdigit() else 0

    async def json(self, most: int) -> object:
        """The body as JSON, an empty one as an empty object; Problem when it is none, or larger than `most` bytes."""
        body = await self.body(most)
        if not body:
            return {}
        if self.headers.get(b"content-type") != b"application/json":
            self._must_be_json()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Problem(400, "malformed_request", f"The body is not JSON: {error.msg}.") from None

    async def body(self, most: int) -> bytes:
        """The whole body; Problem when it is larger than `most` bytes or takes too long."""
        if not self.has_unread_body:
            return b""
        self._must_fit(self.content_length, most)
        first = await self._next_piece(most)
        if self._body_was_read:
            return first
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return first + b"".join([piece async for piece in self.pieces(most)])
        except TimeoutError:
            raise Problem(408, "request_timeout", "The body did not arrive in time.") from None

    async def pieces(self, most: int) -> AsyncIterator[bytes]:
        """The body as it arrives; Problem once it is larger than `most` bytes."""
        while not self._body_was_read:
            if piece := await self._next_piece(most):
                yield piece

    @property
    def body_bytes(self) -> int:
        """How much of the body was read."""
        return self._taken

    @property
    def has_unread_body(self) -> bool:
        """Whether there is a body that was not read to its end."""
        return not self._body_was_read

    async def drain(self) -> None:
        """Reads on for a while and forgets it; a client that waits to be asked for its body sends none."""
        if b"expect" in self.headers:
            return
        most = self._taken + DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async for _ in self.pieces(most):
                    pass
        except (TimeoutError, ClientGone, Problem):
            return

    async def take_what_is_here(self, most: int) -> None:
        """Reads the body as far as it has come already, so that the connection can be used again."""
        if b"expect" in self.headers or self.content_length > most:
            return
        try:
            async with asyncio.timeout(0):
                async for _ in self.pieces(most):
                    pass
        except (TimeoutError, ClientGone, Problem):
            return

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["asyncio.Task[None]"]:
        """A task that ends when the client hangs up."""
        watch = asyncio.create_task(self._until_gone())
        try:
            yield watch
        finally:
            watch.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue

    async def _next_piece(self, most: int) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._body_was_read = True
            raise ClientGone
        self._body_was_read = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        self._taken += len(piece)
        self._must_fit(self._taken, most)
        return piece

    @property
    def _declares_a_body(self) -> bool:
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    def _must_fit(self, size: int, most: int) -> None:
        if size > most:
            raise Problem(413, "payload_too_large", f"The body is larger than {most:,} bytes.")

    def _must_be_json(self) -> None:
        media_type = self.media_type
        if media_type and media_type != "application/json" and not media_type.endswith("+json"):
            raise unsupported_media_type("application/json")
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise Problem(415, "unsupported_media_type", "The body must not be compressed.")


def unsupported_media_type(wanted: str) -> Problem:
    """The body is of another kind than the path takes."""
    return Problem(415, "unsupported_media_type", f"The body must be {wanted}.")
