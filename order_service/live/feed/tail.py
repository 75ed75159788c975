"""The one reader of what is new, for all who watch in this process."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.errors import Overloaded, Unavailable
from chassis.logs import get_logger
from order_service.live import queries
from order_service.live.domain import Position
from order_service.live.feed.outlets import Watch
from order_service.live.queries import News, Wanted

LOOK_SECONDS: Final = 0.2
"""How long a change is unnoticed at most when nobody says "look"."""
_PAUSE_SECONDS: Final = 0.01
_AGAIN_SECONDS: Final = 0.5
NAMED: Final = 100
"""Beyond so many watches Postgres is not told of what the news are wanted: all of them are looked at here."""

log = get_logger(__name__)


class Tail:
    """Reads what is new while somebody watches, and hands it to them; at rest otherwise.

    Lives on the event loop; `stir` and nothing else may be called from other threads.
    """

    def __init__(
        self,
        database: Database,
        loop: asyncio.AbstractEventLoop,
        most: int,
        look_seconds: float = LOOK_SECONDS,
        between_read_and_telling: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._loop = loop
        self._most = most
        self._look_seconds = look_seconds
        self._between = between_read_and_telling
        self._by_order: dict[str, list[Watch]] = {}
        self._by_customer: dict[str, list[Watch]] = {}
        self._newcomers: dict[Watch, asyncio.Future[Position]] = {}
        self._position: Position | None = None
        self._following: asyncio.Task[None] | None = None
        self._told_to_look = asyncio.Event()
        self._rest = _PAUSE_SECONDS
        self.watching = 0

    async def join(self, watch: Watch) -> Position:
        """The watch is told everything from the position on that this gives. Raises Overloaded, Unavailable.

        Rule (protocols: reading): it joins between two reads, so that what was read before is before its position,
        and what is read after was asked for in its name, too.
        """
        if self.watching >= self._most:
            raise Overloaded("too many are watching; try again shortly")
        self.watching += 1
        joined: asyncio.Future[Position] = self._loop.create_future()
        self._newcomers[watch] = joined
        self._told_to_look.set()
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())
            self._following.add_done_callback(_tell_of_failure)
        return await joined

    def leave(self, watch: Watch) -> None:
        """The watch is over; one that never joined, or left already, is none."""
        if self._newcomers.pop(watch, None) is not None or self._forget(watch):
            self.watching -= 1

    def stir(self) -> None:
        """Something was committed in this process; from any thread, once a batch."""
        if self.watching:
            self._loop.call_soon_threadsafe(self._told_to_look.set)

    def look(self) -> None:
        """Somebody else has committed something: look at once."""
        self._told_to_look.set()

    @property
    def position(self) -> Position | None:
        """Everything before it has been told; None while nobody watches."""
        return self._position

    async def _follow(self) -> None:
        while self.watching:
            newcomers, self._newcomers = self._newcomers, {}
            try:
                news = await self._read()
            except Unavailable as error:
                self._turn_away(newcomers, error)
                log.warning("what is new cannot be read", watching=self.watching, error=error.message)
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            except BaseException:
                self._break_off(newcomers)
                raise
            self._between()
            # What is held back is looked for less often the longer it is.
            is_stuck = news.is_more_coming and news.reaches == self._position
            self._rest = min(2 * self._rest, self._look_seconds) if is_stuck else _PAUSE_SECONDS
            self._tell(news)
            if news.is_page_full:
                self._newcomers = newcomers | self._newcomers
                continue
            self._admit(newcomers, news.reaches)
            await self._pause(news.is_more_coming)
        self._position = None

    def _break_off(self, newcomers: "dict[Watch, asyncio.Future[Position]]") -> None:
        """Whatever it ran into, nobody waits for news that do not come: all begin again, behind what they have."""
        self._position = None
        self._turn_away(newcomers | self._newcomers, Unavailable("the stream broke off; try again shortly"))
        self._newcomers = {}
        self._end_all(Unavailable("the stream broke off; go on behind the last event"))

    async def _read(self) -> News:
        position = self._position
        if position is None:
            return News((), await self._database.aread(queries.horizon), is_page_full=False, is_more_coming=False)
        wanted = self._wanted()
        return await self._database.aread(lambda connection: queries.news_behind(connection, position, wanted))

    def _wanted(self) -> Wanted:
        if len(self._by_order) + len(self._by_customer) > NAMED:
            return Wanted(is_everything=True)
        return Wanted(list(self._by_order), list(self._by_customer))

    def _tell(self, news: News) -> None:
        if self._position is not None and news.reaches < self._position:
            # Another database than before, or an older one: nobody's position means anything there.
            self._end_all(Unavailable("the stream begins anew; go on behind the last event"))
        self._position = news.reaches
        for change in news.changes:
            for watch in self._by_order.get(change.order_id, ()):
                watch.deliver(change)
            for watch in self._by_customer.get(change.customer_id, ()):
                watch.deliver(change)

    def _admit(self, newcomers: "dict[Watch, asyncio.Future[Position]]", position: Position) -> None:
        for watch, joined in newcomers.items():
            if joined.cancelled():
                self.watching -= 1
                continue
            watches, key = self._place_of(watch)
            watches.setdefault(key, []).append(watch)
            joined.set_result(position)

    def _turn_away(self, newcomers: "dict[Watch, asyncio.Future[Position]]", error: Unavailable) -> None:
        for joined in newcomers.values():
            self.watching -= 1
            if not joined.cancelled():
                joined.set_exception(error)

    async def _pause(self, is_more_coming: bool) -> None:
        """Not at once again: what comes in between is read together."""
        began = clock.monotonic()
        if not is_more_coming and not self._newcomers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told_to_look.wait(), self._look_seconds)
        self._told_to_look.clear()
        if (rest := self._rest - (clock.monotonic() - began)) > 0:
            await asyncio.sleep(rest)

    def _place_of(self, watch: Watch) -> tuple[dict[str, list[Watch]], str]:
        if watch.subject.order_id:
            return self._by_order, watch.subject.order_id
        return self._by_customer, watch.subject.customer_id

    def _forget(self, watch: Watch) -> bool:
        watches, key = self._place_of(watch)
        if watch not in watches.get(key, ()):
            return False
        watches[key].remove(watch)
        if not watches[key]:
            del watches[key]
        return True

    def _end_all(self, error: Unavailable) -> None:
        for watch in self._all():
            watch.end(error)

    def _all(self) -> Iterable[Watch]:
        return [watch for some in (self._by_order, self._by_customer) for watches in some.values() for watch in watches]


def _tell_of_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("what is new cannot be read", exc_info=error)
