"""Reports between dates and figures on one side and protobuf on the other."""

from datetime import date, datetime

from chassis.errors import ValidationFailed
from chassis.money import format_amount
from order_service.reports.queries import Kpis
from protos.orders.v1 import reports_pb2 as pb


def day_of(text: str, field: str, today: date) -> date:
    """The day that a field names; today where it names none. Raises ValidationFailed."""
    if not text:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValidationFailed("the request is not valid", fields={field: [f"is not a date: {error}"]}) from error
    if day == date.max:
        raise ValidationFailed("the request is not valid", fields={field: ["is not a date of our time"]})
    return day


def require_in_order(first_day: date, last_day: date) -> None:
    """Raises ValidationFailed when a range ends before it begins."""
    if last_day < first_day:
        raise ValidationFailed("the request is not valid", fields={"to": ["must not be before from"]})


def kpis_to_proto(kpis: Kpis, currency: str, counted_at: datetime) -> pb.Kpis:
    """The figures as they are shown."""
    message = pb.Kpis(
        to=kpis.last_day.isoformat(),
        revenue=format_amount(kpis.revenue_minor, currency),
        currency=currency,
        orders=kpis.orders,
        average_order_value=format_amount(kpis.average_minor, currency),
        unique_customers=kpis.unique_customers,
    )
    setattr(message, "from", kpis.first_day.isoformat())
    message.counted_at.FromDatetime(counted_at)
    return message
