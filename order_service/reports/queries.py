"""Figures of completed orders, straight from the orders."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis.database import rows_of

_KPIS: Final = """
SELECT count(*) AS orders, COALESCE(sum(total_minor - refunded_minor), 0) AS revenue_minor,
       count(DISTINCT customer_id) AS unique_customers
FROM orders WHERE placed_at >= :start AND placed_at < :end AND status = 'COMPLETED'
"""


class Kpis(NamedTuple):
    """Figures of completed orders, net of refunds; a refunded order still counts among the orders."""

    first_day: date
    last_day: date
    revenue_minor: int
    orders: int
    unique_customers: int

    @property
    def average_minor(self) -> int:
        """What an order came to on average, to the nearest minor unit, halves upwards; 0 without orders."""
        return (2 * self.revenue_minor + self.orders) // (2 * self.orders) if self.orders else 0


def kpis(connection: Connection, first_day: date, last_day: date) -> Kpis:
    """The figures of these days in UTC, both inclusive."""
    row = rows_of(connection, _KPIS, start=_midnight(first_day), end=_midnight(last_day) + timedelta(days=1))[0]
    return Kpis(first_day, last_day, int(row.revenue_minor), row.orders, row.unique_customers)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
