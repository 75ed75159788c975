"""Who waits for an order is woken when it is decided: by the process that folds the facts, by the feed, or by looking.

Three ways, since two of them may fail: the consumer of this very process; the change feed, by which another process
says "look"; and one statement every 100 ms for all orders waited for, so that nothing is ever waited for in vain.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chassis import clock, ids
from chassis.database import Database
from chassis.errors import Overloaded, Unavailable
from chassis.logs import get_logger
from chassis.metrics import gauge
from chassis.redis import Feed
from order_service import queries
from order_service.domain import Order, Status
from order_service.tables import CONTEXT, Standing, standing_of

CHANNEL: Final = "orders"
LOOK_SECONDS: Final = 0.1

log = get_logger(__name__)


class Vigil:
    """What one caller waits for: orders, and what was decided of them since it last took notice."""

    def __init__(self) -> None:
        self._decided: list[Standing] = []
        self._stirred = asyncio.Event()

    def tell(self, standing: Standing) -> None:
        """An order waited for is decided."""
        self._decided.append(standing)
        self._stirred.set()

    async def decided(self, until: float) -> list[Standing]:
        """What was decided since, as soon as there is any; nothing at the moment `until` (monotonic seconds)."""
        if not self._decided:
            self._stirred.clear()
            try:
                await asyncio.wait_for(self._stirred.wait(), max(0.0, until - clock.monotonic()))
            except TimeoutError:
                return []
        told, self._decided = self._decided, []
        return told


class Waiters:
    """Everybody in this process who waits for an order to be decided: to be anything but PENDING.

    Lives on the event loop; `decide` and nothing else may be called from other threads.
    """

    def __init__(
        self, database: Database, loop: asyncio.AbstractEventLoop, most: int, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._look_seconds = look_seconds
        self._database = database
        self._loop = loop
        self._most = most
        self._vigils: dict[str, list[Vigil]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._told_to_look = asyncio.Event()
        gauge(CONTEXT, "waiters", "Orders whose decision somebody waits for").set_function(lambda: self.waiting)

    @property
    def waiting(self) -> int:
        """Orders whose decision somebody waits for."""
        return len(self._vigils)

    def admit(self, waiting: int) -> None:
        """Raises Overloaded when so many more would be too many."""
        if self.waiting + waiting > self._most:
            raise Overloaded("too many callers are waiting for their orders; try again shortly")

    def wait_for(self, vigil: Vigil, order_id: str) -> None:
        """Tell the vigil when this order is decided.

        Rule (protocols: placing): a waiter registers before it places, else the decision may be there before it.
        """
        self._vigils.setdefault(order_id, []).append(vigil)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again_and_again())

    def forget(self, vigil: Vigil, order_ids: Iterable[str]) -> None:
        """The vigil is over for these."""
        for order_id in order_ids:
            left = [other for other in self._vigils.pop(order_id, ()) if other is not vigil]
            if left:
                self._vigils[order_id] = left

    def decide(self, orders: Sequence[Order]) -> None:
        """Facts about these orders are committed; from any thread, once a batch."""
        # A dictionary may be asked from another thread; who registers after this has placed its order after it.
        decided = [
            standing_of(order) for order in orders if order.id in self._vigils and order.status is not Status.PENDING
        ]
        if decided:
            self._loop.call_soon_threadsafe(self._tell, decided)

    def look(self) -> None:
        """Somebody else has folded facts: look at once."""
        self._told_to_look.set()

    def _tell(self, decided: Iterable[Standing]) -> None:
        for standing in decided:
            for vigil in self._vigils.pop(standing.id, ()):
                vigil.tell(standing)

    async def _look_again_and_again(self) -> None:
        while self._vigils:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told_to_look.wait(), self._look_seconds)
            self._told_to_look.clear()
            await self._look()

    async def _look(self) -> None:
        waited_for = list(self._vigils)
        if not waited_for:
            return
        try:
            self._tell(await self._database.aread(lambda connection: queries.standings_decided(connection, waited_for)))
        except Unavailable as error:
            log.warning("orders waited for cannot be read", waiting=len(waited_for), error=str(error))


class Announcer:
    """Says "look" to the other processes of this service, and hears what they say."""

    def __init__(self, feed: Feed, *look: Callable[[], None]) -> None:
        self._feed = feed
        self._look = look
        self._name = ids.new_id()
        self._listening: asyncio.Task[None] | None = None

    def announce(self) -> None:
        """Facts were folded here; one message a batch, and never an error."""
        self._feed.tell(CHANNEL, self._name)

    async def start(self) -> None:
        """Begin to listen."""
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            self._listening.cancel()

    async def _listen(self) -> None:
        async for name in self._feed.listen(CHANNEL):
            if name != self._name:
                for look in self._look:
                    look()
