"""What time makes us do: tell how many supplier orders are open, and for how long."""

from typing import Final

from chassis.database import Database
from chassis.jobs import Job
from chassis.metrics import gauge
from supplier_service import queries
from supplier_service.domain import CONTEXT

_EVERY_SECONDS: Final = 15.0
_STATUSES: Final = ("REQUESTED", "ACCEPTED")


def count_open(database: Database) -> Job:
    """Tell by status how many supplier orders goods are still expected of, and the age of the oldest."""
    number = gauge(CONTEXT, "open_supplier_orders", "Supplier orders that goods are still expected of", "status")
    oldest = gauge(CONTEXT, "oldest_open_supplier_order_seconds", "Age of the oldest of them", "status")

    def work() -> None:
        found = database.read(queries.open_supplier_orders)
        for status in _STATUSES:
            waits = found.get(status, queries.Waits(0, 0.0))
            number.labels(status).set(waits.supplier_orders)
            oldest.labels(status).set(waits.oldest)

    return Job("open supplier orders", _EVERY_SECONDS, work)
