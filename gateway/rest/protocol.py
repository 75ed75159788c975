"""HTTP as uvicorn speaks it, with what it leaves open: one write an answer, and an end to requests that do not end."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis import tracing
from gateway.rest.encoding import dump
from gateway.rest.problems import CONTENT_TYPE, Problem

HEAD_BYTES = 96 << 10
"""What request line and headers may come to."""


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

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_arriving = True
        self._head_bytes = 0
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
        """From now on somebody else looks after the connection."""
        self._unwatch()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Bytes of one request, or of several."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_arriving:
            self._watch()
            if self._head_bytes > HEAD_BYTES:
                self._refuse(Problem(431, "head_too_large", f"The head is larger than {HEAD_BYTES:,} bytes."))
        elif self._patience is not None:
            self._unwatch()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_arriving = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there; what follows is bounded by whoever reads the body."""
        self._head_bytes = -(1 << 62)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._is_arriving = False
        self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is refused like everything else."""
        self._refuse(Problem(400, "malformed_request", msg))

    def _watch(self) -> None:
        """The next bytes must come in time."""
        self._unwatch()
        self._patience = self.loop.call_later(self.quiet_seconds, self._give_up)

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
        if self.cycle is None or self.cycle.response_complete:
            self._say(problem)
        self.transport.close()

    def _say(self, problem: Problem) -> None:
        trace_id = tracing.trace_id_of(tracing.new_traceparent())
        body = dump(problem.document("", trace_id))
        head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\nx-trace-id: %b\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (problem.status, CONTENT_TYPE, len(body), trace_id.encode()) + body)
