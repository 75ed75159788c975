"""What makes forgetting go on by itself: a few orders at a time, wherever it stopped."""

import threading
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from order_service.privacy import commands, queries
from order_service.privacy.domain import Forgetting

EVERY_SECONDS: Final = 0.2
_LOOK_SECONDS: Final = 5.0
"""How soon is found what another process was asked, and what waits for orders to end."""
_PASS_SECONDS: Final = 0.5

log = get_logger(__name__)


class Forgetter:
    """Forgets the customers that are to be forgotten."""

    def __init__(self, database: Database, orders: int = commands.ORDERS) -> None:
        self._database = database
        self._orders = orders
        self._awake = threading.Event()
        self._look_at = 0.0

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("forget", EVERY_SECONDS, self.go_on)

    def wake(self) -> None:
        """There is somebody to be forgotten."""
        self._awake.set()

    def go_on(self) -> None:
        """A pass; next to nothing when there is nobody."""
        if not self._awake.is_set() and clock.monotonic() < self._look_at:
            return
        self._look_at = clock.monotonic() + _LOOK_SECONDS
        self._awake.clear()
        until = clock.monotonic() + _PASS_SECONDS
        for forgetting in self._database.read(queries.under_way):
            if not self._forget(forgetting, until):
                self._awake.set()

    def _forget(self, forgetting: Forgetting, until: float) -> bool:
        """Whether there is nothing more to do for it now."""
        while self._database.write(lambda connection: commands.forget_next(connection, forgetting, self._orders)):
            if clock.monotonic() > until:
                return False
        if self._database.write(lambda connection: commands.end_forgetting(connection, forgetting)):
            log.info("a customer was forgotten", pseudonym=forgetting.pseudonym)
        return True
