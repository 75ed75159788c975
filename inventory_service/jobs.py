"""What time makes us do: free what callers hold past their time, and compare the ledger with the balances."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from chassis.metrics import gauge
from inventory_service import queries
from inventory_service.commands import compare_held, compare_ledger
from inventory_service.domain import CONTEXT

HELD_CHECK_SECONDS: Final = 3_600.0

log = get_logger(__name__)


def sweep(
    database: Database, free_expired: Callable[[Connection], int], every_seconds: float, wake_relay: Callable[[], None]
) -> Job:
    """Free reservations of callers, a batch after the other, until none is left whose time is over."""

    def work() -> None:
        while freed := database.write(free_expired):
            wake_relay()
            log.info("reservations freed", reservations=freed)

    return Job("sweep", every_seconds, work)


def ledger_check(database: Database, every_seconds: float) -> Job:
    """Tell by how many pieces the movements differ from the balances, which must be none, and how many wait."""
    difference = gauge(CONTEXT, "ledger_difference_pieces", "Pieces by which movements and balances differ; must be 0")
    waiting = gauge(CONTEXT, "waiting_reservations", "Reservations that wait for goods")

    def work() -> None:
        found = database.write(compare_ledger)
        difference.set(sum(found.values()))
        if found:
            log.error("the ledger does not add up", skus=list(found)[:20], pieces=sum(found.values()))
        waiting.set(database.read(queries.waiting_reservations))

    return Job("ledger", every_seconds, work)


def held_check(database: Database, every_seconds: float = HELD_CHECK_SECONDS) -> Job:
    """Tell by how many pieces what is reserved differs from what reservations hold, which must be none."""
    difference = gauge(
        CONTEXT, "held_difference_pieces", "Pieces reserved that no reservation holds, or held twice; must be 0"
    )

    def work() -> None:
        found = database.write(compare_held)
        difference.set(sum(found.values()))
        if found:
            log.error("reservations do not add up", skus=list(found)[:20], pieces=sum(found.values()))

    return Job("held stock", every_seconds, work)
