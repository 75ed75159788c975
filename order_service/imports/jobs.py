"""What makes imports go on by themselves: a step of each, again and again, by one instance at a time."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.jobs import Job
from chassis.logs import get_logger
from order_service.commands import Placing
from order_service.imports import commands, queries
from order_service.imports.domain import ImportStatus
from order_service.imports.ports import Products

STEP_EVERY_SECONDS: Final = 0.1
LOOK_EVERY_SECONDS: Final = 2.0
"""How soon an import is found that another process took."""
_PASS_SECONDS: Final = 0.5
"""How long a pass may last before the other jobs come to their turn."""
TIDY_EVERY_SECONDS: Final = 60.0


log = get_logger(__name__)

_UnderWay = tuple[str, ImportStatus]


class ImportProgress:
    """Takes the imports that are under way a few steps further, each in its turn."""

    def __init__(
        self,
        database: Database,
        products: Products,
        placing: Placing,
        wake_relay: Callable[[], None],
        in_flight: int,
        placed: Callable[[int], None] = lambda _orders: None,
    ) -> None:
        self._database = database
        self._products = products
        self._placing = placing
        self._wake_relay = wake_relay
        self._in_flight = in_flight
        self._placed = placed
        self._awake = threading.Event()
        self._look_at = 0.0
        self._turn = 0

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What the service's job runner is to do."""
        return (
            Job("imports", STEP_EVERY_SECONDS, self.go_on),
            Job("imports-tidy", TIDY_EVERY_SECONDS, lambda: commands.tidy(self._database)),
        )

    def wake(self) -> None:
        """There is an import to go on with."""
        self._awake.set()

    def go_on(self) -> None:
        """Some steps of every import under way; next to nothing when there is none."""
        if not self._awake.is_set() and clock.monotonic() < self._look_at:
            return
        self._look_at = clock.monotonic() + LOOK_EVERY_SECONDS
        until = clock.monotonic() + _PASS_SECONDS
        try:
            while under_way := self._database.read(queries.under_way):
                self._awake.set()
                has_moved = [self._step(*found) for found in self._in_turn(under_way)]
                if not any(has_moved) or clock.monotonic() > until:
                    return
        except Unavailable as away:  # not a bug, and no reason to ask ten times a second
            log.warning("imports wait", reason=str(away))
        self._awake.clear()

    def _in_turn(self, under_way: Sequence[_UnderWay]) -> Sequence[_UnderWay]:
        """Another one first each time: an import that cannot go on does not hold up the others."""
        self._turn = (self._turn + 1) % len(under_way)
        return [*under_way[self._turn :], *under_way[: self._turn]]

    def _step(self, import_id: str, status: ImportStatus) -> bool:
        match status:
            case ImportStatus.CHECKING:
                return commands.check_next(self._database, self._products, import_id)
            case ImportStatus.PLACING:
                return self._place(import_id)
            case _:
                return commands.settle(self._database, import_id)

    def _place(self, import_id: str) -> bool:
        placed = commands.place_next(self._database, self._placing, import_id, self._in_flight)
        if placed is None:
            return False
        self._placed(placed)
        self._wake_relay()
        return True
