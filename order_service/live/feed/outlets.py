"""What waits to be sent on one stream, and the watches that share it."""

import asyncio
from collections import deque
from typing import Final

from chassis.access.caller import ANYBODY, Caller
from chassis.errors import Refusal
from order_service.live.domain import Change, Delivery, Ended, Reached, Subject, Told, WatcherTooSlow

HELD: Final = 1_000
"""Changes kept for a watch that is still reading its past."""


class Outlet:
    """What waits to be sent on a stream, in order and bounded: a reader that is too slow for it is cut off."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Told] = deque()
        self._stirred = asyncio.Event()
        self._taken = asyncio.Event()
        self._closed_for: Refusal | None = None
        self._is_finished = False

    def deliver(self, watch_id: int, change: Change) -> None:
        """Send a change to one more watch."""
        last = self._waiting[-1] if self._waiting else None
        if self._closed_for is not None:
            return
        if isinstance(last, Delivery) and last.change is change:
            last.watch_ids.append(watch_id)
        elif len(self._waiting) >= self._most:
            self.close(WatcherTooSlow("more has happened than was read; go on behind the last event"))
        else:
            self.put(Delivery(change, [watch_id]))

    def put(self, told: Told) -> None:
        """Send something else."""
        self._waiting.append(told)
        self._stirred.set()

    def close(self, reason: Refusal) -> None:
        """Take no more. What waits is still sent, so that its reader knows where to go on."""
        self._closed_for = reason
        self._stirred.set()

    def finish(self) -> None:
        """Its reader wants no more."""
        self._is_finished = True
        self._stirred.set()

    async def take(self, most: int) -> list[Told]:
        """What waits, as soon as there is any, and no further than a Reached; nothing when it is finished.

        Raises what it was closed for.
        """
        while not self._waiting:
            if self._closed_for is not None:
                raise self._closed_for
            if self._is_finished:
                return []
            self._stirred.clear()
            await self._stirred.wait()
        taken: list[Told] = []
        while self._waiting and len(taken) < most and not (taken and isinstance(taken[-1], Reached)):
            taken.append(self._waiting.popleft())
        self._taken.set()
        return taken

    async def has_room(self) -> None:
        """Returns when half of it is free: the past can wait until its reader has time."""
        while len(self._waiting) > self._most // 2:
            self._taken.clear()
            await self._taken.wait()


class Watch:
    """One subject on one stream. What happens while it reads its past is held, and follows."""

    __slots__ = ("caller", "held", "id", "is_overtaken", "outlet", "subject")

    def __init__(self, id_: int, subject: Subject, outlet: Outlet, caller: Caller = ANYBODY) -> None:
        self.id = id_
        self.subject = subject
        self.outlet = outlet
        self.caller = caller
        self.held: list[Change] | None = []
        self.is_overtaken = False

    def deliver(self, change: Change) -> None:
        """Something happened to what it watches."""
        if self.held is None:
            self.outlet.deliver(self.id, change)
        elif len(self.held) < HELD:
            self.held.append(change)
        else:
            self.is_overtaken = True

    def hold(self) -> None:
        """It begins, or begins again: what happens from now on comes behind the past that it reads."""
        self.held, self.is_overtaken = [], False

    def flow(self) -> None:
        """Its past is told: what was held follows, and from now on what happens is told at once."""
        held, self.held = self.held or [], None
        for change in held:
            self.outlet.deliver(self.id, change)

    def end(self, error: Refusal) -> None:
        """Tell its reader that nothing more follows."""
        self.outlet.put(Ended(self.id, error))
