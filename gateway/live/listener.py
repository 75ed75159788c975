"""One client that watches: what waits to be sent to it, bounded, and where it goes on when the stream breaks."""

import asyncio
from typing import Final

from gateway.live.happenings import Happening
from gateway.rest.problems import Problem
from protos.orders.v1 import orders_pb2 as pb

MOST: Final = 1_000
"""Happenings that wait for a client before it is cut off."""

TOO_SLOW: Final = "watcher_too_slow"


class Listener:
    """What a client is told; `position` is behind all that it was given, be it sent or still waiting."""

    __slots__ = ("_is_to_beat", "_waiter", "_waiting", "added", "is_caught_up", "joined", "over", "position")

    def __init__(self, added: pb.AddedWatch, joined: "asyncio.Future[str]") -> None:
        self.added = added
        self.joined = joined
        self.position: str = added.request.last_event_id
        self.is_caught_up = False
        self.over = ""
        self._is_to_beat = False
        self._waiting: list[Happening] = []
        self._waiter: asyncio.Future[None] | None = None

    @property
    def begin(self) -> str:
        """Where its client goes on when it is told nothing at all; `position` may be ahead of it already."""
        return self.joined.result()

    @property
    def id(self) -> int:
        """Names it on the shared stream."""
        return self.added.watch_id

    def has_joined(self, position: str) -> None:
        """Its stream has begun here; said again when the shared stream was broken."""
        if not self.joined.done():
            self.position = position
            self.joined.set_result(position)

    def refuse(self, problem: Problem) -> None:
        """It never begins, or ends."""
        if not self.joined.done():
            self.joined.set_exception(problem)
        self.end(problem.code)

    def offer(self, happening: Happening) -> None:
        """Something happened. A client that does not read is cut off: behind what waits it can go on later."""
        if self.over:
            return
        if len(self._waiting) >= MOST:
            self.end(TOO_SLOW)
            return
        self._waiting.append(happening)
        self.position = happening.id or self.position
        self._wake()

    def beat(self) -> None:
        """Let the client know that all is well, unless there is something better to tell."""
        self._is_to_beat = True
        self._wake()

    def end(self, reason: str) -> None:
        """Nothing more is taken; what waits is still given out."""
        self.over = self.over or reason
        self._wake()

    async def next(self) -> list[Happening] | None:
        """What waits, as soon as there is any; nothing when it is time for a sign of life; None behind the last."""
        while not (self._waiting or self._is_to_beat or self.over):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._is_to_beat = False
        if not self._waiting and self.over:
            return None
        given, self._waiting = self._waiting, []
        return given

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
