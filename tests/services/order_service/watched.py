"""The watching side of an order service in the test's own process."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from chassis.access.caller import ANYBODY, Caller
from chassis.access.door import Door
from chassis.access.policy import Policy
from chassis.errors import Refusal
from order_service.live.feed import Tail
from order_service.live.servicer import LiveServicer, Questions
from tests.services.order_service.shop import Shop


class Doorkeeper(Door):
    """Knows callers by what they say; all others may do everything."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Caller | Refusal] = {}

    async def callers_of(self, authorizations: Sequence[str], policy: Policy) -> Sequence[Caller | Refusal]:
        """Each on its own account."""
        return [self.known.get(authorization, ANYBODY) for authorization in authorizations]


class Watched:
    """What `build_live` puts together, on a shop; what happens between a read and its telling is a test's to say."""

    def __init__(self, shop: Shop, stopping: asyncio.Event) -> None:
        self.stopping = stopping
        self.door = Doorkeeper()
        self.between: Callable[[], None] = lambda: None
        self.questions = Questions(shop.database, "orders")
        self.tail = Tail(
            shop.database, asyncio.get_running_loop(), 1_000, look_seconds=0.05, between_read_and_telling=self._between
        )
        self.servicer = LiveServicer(self.questions, self.tail, self.door, stopping, "orders")

    @property
    def batchers(self) -> list[Any]:
        """What works on threads of its own."""
        return [self.questions.past, self.questions.owners]

    def _between(self) -> None:
        self.between()
