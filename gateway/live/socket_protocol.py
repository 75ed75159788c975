"""WebSocket as uvicorn speaks it, with an end to clients that do not read."""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    stuck_seconds = 30.0
    """How long a client may take nothing of what waits for it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client does not read as fast as it is told."""
        super().pause_writing()
        self._patience = self.loop.call_later(self.stuck_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        self._lose_patience()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._lose_patience()
        super().connection_lost(exc)

    async def send(self, message: Any) -> None:
        """A handshake that was refused is complete as well; uvicorn takes it for forgotten, and says so."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def handle_ping(self) -> None:
        """Who asks for answers and does not read them gets none."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def _lose_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
