"""HTTP as uvicorn speaks it, with what it leaves open: one write an answer, and an end to requests that do not end."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis import tracing
from gateway.rest.encoding import dump
from gateway.rest.heads import Ambiguous, check_head
from gateway.rest.problems import CONTENT_TYPE, Problem

HEAD_BYTES = 96 << 10
"""What request line and headers may come to."""
HANDSHAKE_LINE = 8_000
HANDSHAKE_LINES = 120
"""What one line of a WebSocket's handshake may come to, and how many there may be."""


class OneWriteTransport:
    """A transport that writes at the end of the loop's turn what came in it: each write is a call of the kernel."""

    __slots__ = ("_gathered", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Takes the bytes along."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(data)

    def flush(self) -> None:
        """Writes what was gathered."""
        if self._gathered:
            self._transport.write(b"".join(self._gathered))
            self._gathered.clear()

    def close(self) -> None:
        """Closes, the last bytes included."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """One connection."""

    quiet_seconds = 30.0
    """How long a client may be silent in the middle of a request, or before its first."""
    stuck_seconds = 30.0
    """How long a client may take nothing of an answer that waits for it."""

    head_seconds = 60.0
    """How long a head may take from its first byte on, however little of it comes at a time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_arriving = True
        self._head_bytes = 0
        self._head_until = self.loop.time() + self.head_seconds
        self._body_left = 0
        self._complaint: Problem | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The connection is there; the first request must follow."""
        gathering: Any = OneWriteTransport(transport, self.loop)
        super().connection_made(gathering)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._unwatch()
        self._move_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered; one that does not read at all never lets a close end."""
        super().pause_writing()
        self._stuck = self.loop.call_later(self.stuck_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        self._move_on()
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        """From now on somebody else looks after the connection, who reads the head again, and bears less of it."""
        self._unwatch()
        lines = [len(self.url), *(len(name) + len(value) for name, value in self.headers)]
        if len(lines) > HANDSHAKE_LINES or max(lines) > HANDSHAKE_LINE:
            self._refuse(Problem(431, "head_too_large", "A WebSocket needs a smaller head."))
        else:
            super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Bytes of one request, or of several."""
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            if not self._read(data):
                return
        except httptools.HttpParserError:
            self._refuse(self._complaint or Problem(400, "malformed_request", "This is no HTTP that can be read."))
            return
        if self._is_arriving:
            self._watch()
            if self._head_bytes > HEAD_BYTES:
                self._refuse(_too_large())
        elif self.cycle is None or self.cycle.response_complete:
            # Nothing but line breaks, which a client may send between requests, but not for ever.
            self._watch()
        elif self._patience is not None:
            self._unwatch()

    def _read(self, data: bytes) -> bool:
        """Feeds the parser; False when the connection is another protocol's from now on.

        The parser takes a request that wishes for another protocol for one without a body, and Java's client wishes for
        h2c in whatever it sends first. What we do not speak is passed over (RFC 9110, section 7.8), and the body is
        read here: else it would be lost, or taken for the next request.
        """
        while data:
            if self._body_left:
                data = self._read_body(data)
                continue
            try:
                self.parser.feed_data(data)
                return True
            except httptools.HttpParserUpgrade as upgrade:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                    return False
                data = data[upgrade.args[0] :]
        return True

    def _read_body(self, data: bytes) -> bytes:
        """Takes the body's part of the bytes; the rest."""
        piece, rest = data[: self._body_left], data[self._body_left :]
        self._body_left -= len(piece)
        self.on_body(piece)
        if not self._body_left:
            self.on_message_complete()
        return rest

    def _should_upgrade(self) -> bool:
        """WebSocket begins with a GET; whatever else asks for it is a request like any other."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._is_arriving:
            self._head_until = self.loop.time() + self.head_seconds
        self._is_arriving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; what follows is bounded by whoever reads the body."""
        self._head_until = math.inf
        self._complaint = self._wrong_with_head()
        if self._complaint is not None:
            raise self._complaint
        self._head_bytes = -(1 << 62)
        super().on_headers_complete()

    def _wrong_with_head(self) -> Problem | None:
        # What came in one piece with its body may be larger than a head may be, and all right.
        if self._head_bytes > HEAD_BYTES and _size_of(self.headers) + len(self.url) > HEAD_BYTES:
            return _too_large()
        try:
            check_head(self.parser.get_http_version(), self.headers)
            if self.parser.should_upgrade() and not self._should_upgrade():
                self._body_left = _body_behind(self.headers)
        except Ambiguous as wrong:
            return Problem(400, "malformed_request", str(wrong))
        return None

    def on_message_complete(self) -> None:
        """The whole request is there, unless its body is still to be read behind it."""
        if self._body_left:
            return
        self._is_arriving = False
        self._head_bytes = 0
        super().on_message_complete()

    def _watch(self) -> None:
        """The next bytes must come in time."""
        self._unwatch()
        left = self._head_until - self.loop.time() if self._is_arriving else self.quiet_seconds
        self._patience = self.loop.call_later(min(self.quiet_seconds, max(0.0, left)), self._give_up)

    def _move_on(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _unwatch(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if self.flow.read_paused:
            # It is not the client who is slow.
            self._watch()
        else:
            self._refuse(Problem(408, "request_timeout", "The request did not arrive in time."))

    def _refuse(self, problem: Problem) -> None:
        """Hangs up; says why, unless a request is being answered whose answer this would spoil."""
        self._unwatch()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._say(problem)
        elif cycle.more_body and not (cycle.response_started or self.pipeline):
            # It is this request that is broken: whoever began to serve it finds its client gone.
            cycle.disconnected = True
            cycle.message_event.set()
            self._say(problem)
        self.transport.close()

    def _say(self, problem: Problem) -> None:
        trace_id = tracing.trace_id_of(tracing.new_traceparent())
        body = dump(problem.document("", trace_id))
        head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\nx-trace-id: %b\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (problem.status, CONTENT_TYPE, len(body), trace_id.encode()) + body)


def _body_behind(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """How many bytes of body follow a head that wishes for another protocol."""
    found = dict(headers)
    if b"transfer-encoding" in found:
        raise Ambiguous("A request that wishes for another protocol must say how long its body is.")
    return int(found.get(b"content-length", b"0"))


def _size_of(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + len(b": \r\n") for name, value in headers)


def _too_large() -> Problem:
    return Problem(431, "head_too_large", f"The head is larger than {HEAD_BYTES:,} bytes.")
