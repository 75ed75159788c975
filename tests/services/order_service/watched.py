"""The watching side of an order service in the test's own process."""

import asyncio
from collections.abc import Callable
from typing import Any

from chassis.access.door import Door
from order_service.live.feed import Tail
from order_service.live.servicer import ONE, LiveServicer, Questions
from tests.services.order_service.shop import Shop


class Watched:
    """What `build_live` puts together, on a shop; what happens between a read and its telling is a test's to say."""

    def __init__(
        self, shop: Shop, stopping: asyncio.Event, *, most: int = 1_000, waiting: int = ONE, door: Door | None = None
    ) -> None:
        self.stopping = stopping
        self.between: Callable[[], None] = lambda: None
        self.questions = Questions(shop.database, "orders")
        self.tail = Tail(
            shop.database, asyncio.get_running_loop(), most, look_seconds=0.05, between_read_and_telling=self._between
        )
        self.servicer = LiveServicer(self.questions, self.tail, door or Door(), stopping, "orders", waiting)

    @property
    def batchers(self) -> list[Any]:
        """What works on threads of its own."""
        return [self.questions.past, self.questions.owners]

    def _between(self) -> None:
        self.between()
