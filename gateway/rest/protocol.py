"""HTTP as uvicorn speaks it, but an answer's head and body leave in one write: each is a call of the kernel."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWriteTransport:
    """A transport that writes at the end of the loop's turn what came in it."""

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


class OneWriteProtocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        """The connection is there."""
        gathering: Any = OneWriteTransport(transport, self.loop)
        super().connection_made(gathering)
