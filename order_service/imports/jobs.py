"""What makes imports go on by themselves: a step of each, again and again, by one instance at a time."""

import threading
from collections.abc import Callable
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.jobs import Job
from order_service.imports import commands, queries
from order_service.imports.domain import ImportStatus
from order_service.imports.ports import Catalogue, Orders

STEP_EVERY_SECONDS: Final = 0.1
LOOK_EVERY_SECONDS: Final = 2.0
"""How soon an import is found that another process took."""
_PASS_SECONDS: Final = 0.5
"""How long a pass may last before the other jobs come to their turn."""
TIDY_EVERY_SECONDS: Final = 60.0


class ImportProgress:
    """Takes the imports that are under way a few steps further, each in its turn."""

    def __init__(self, database: Database, catalogue: Catalogue, orders: Orders, in_flight: int) -> None:
        self._database = database
        self._catalogue = catalogue
        self._orders = orders
        self._in_flight = in_flight
        self._awake = threading.Event()
        self._look_at = 0.0

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
        self._awake.clear()
        self._look_at = clock.monotonic() + LOOK_EVERY_SECONDS
        until = clock.monotonic() + _PASS_SECONDS
        while steps := self._steps():
            self._awake.set()
            has_moved = [step() for step in steps]
            if not any(has_moved) or clock.monotonic() > until:
                return

    def _steps(self) -> list[Callable[[], bool]]:
        return [self._step(import_id, status) for import_id, status in self._database.read(queries.under_way)]

    def _step(self, import_id: str, status: ImportStatus) -> Callable[[], bool]:
        match status:
            case ImportStatus.CHECKING:
                return lambda: commands.check_next(self._database, self._catalogue, import_id)
            case ImportStatus.PLACING:
                return lambda: commands.place_next(self._database, self._orders, import_id, self._in_flight)
            case _:
                return lambda: commands.settle(self._database, import_id)
