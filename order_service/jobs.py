"""What time makes us do with orders: ask for the end of those whose reservation's time is over."""

from collections.abc import Callable
from typing import Final

from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from chassis.metrics import counter
from order_service import commands, queries
from order_service.tables import CONTEXT

EXPIRE_EVERY_SECONDS: Final = 1.0
_PIECE: Final = 5_000
_BATCH: Final = 200
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

log = get_logger(__name__)


class Expiry:
    """Goes through the unfinished orders, a piece each time, and asks for the end of those that are overdue."""

    def __init__(self, database: Database, wake_relay: Callable[[], None], piece: int = _PIECE) -> None:
        self._database = database
        self._wake_relay = wake_relay
        self._piece = piece
        self._after = _FIRST
        self._asked = counter(CONTEXT, "expiries_asked", "Times payments was asked to give an overdue order up")

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("expiry", EXPIRE_EVERY_SECONDS, self.expire_overdue)

    def expire_overdue(self) -> None:
        """Ask for the overdue orders of the next piece."""
        piece = self._database.read(lambda connection: queries.due_ids(connection, self._after, self._piece))
        self._after = piece[-1] if len(piece) == self._piece else _FIRST
        if not piece:
            return
        overdue = self._database.read(lambda connection: queries.overdue_ids(connection, piece))
        for start in range(0, len(overdue), _BATCH):
            self._expire(overdue[start : start + _BATCH])

    def _expire(self, order_ids: list[str]) -> None:
        asked = self._database.write(lambda connection: commands.expire_orders(connection, order_ids))
        self._asked.inc(asked)
        self._wake_relay()
        log.info("overdue orders were asked for", size=asked)
