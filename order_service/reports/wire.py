"""Reports between dates, places and figures on one side and protobuf and JSON on the other."""

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import ValidationFailed
from chassis.money import format_amount
from order_service.domain import Status
from order_service.reports.domain import Kpis, Place, Present
from order_service.reports.queries import Rebuild
from protos.orders.v1 import orders_pb2
from protos.orders.v1 import reports_pb2 as pb

_STATUSES: Final = {status.value: getattr(orders_pb2, f"ORDER_STATUS_{status}") for status in Status}
_KEPT: Final = ("revenue_minor", "orders", "unique_customers")


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


def customer_of(request: pb.GetCustomerRankRequest) -> str:
    """The customer that is meant, written as orders keep it."""
    return unicodedata.normalize("NFC", request.customer_id.strip())


def kpis_to_json(kpis: Kpis, counted_at: datetime) -> dict[str, Any]:
    """The figures as they are cached; the days are in the key."""
    figures = {name: getattr(kpis, name) for name in _KEPT}
    return figures | {"counted_at": counted_at.isoformat()}


def kpis_of_json(kept: dict[str, Any], first_day: date, last_day: date) -> tuple[Kpis, datetime]:
    """Figures that were cached, and when they were counted."""
    figures = {name: kept[name] for name in _KEPT}
    return Kpis(first_day, last_day, **figures), datetime.fromisoformat(kept["counted_at"])


def kpis_to_proto(kpis: Kpis, counted_at: datetime, currency: str) -> pb.Kpis:
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


def present_to_proto(present: Present, counted_at: datetime) -> pb.RealtimeKpis:
    """How things stand, as it is shown."""
    return pb.RealtimeKpis(
        statuses=[pb.StatusCount(status=_STATUSES[name], orders=orders) for name, orders in present.statuses.items()],
        minutes=[
            pb.MinuteCount(minute=_moment(each.minute), orders=each.orders, completed=each.completed)
            for each in present.minutes
        ],
        counted_at=_moment(counted_at),
    )


def customer_rank_to_proto(place: Place, currency: str) -> pb.CustomerRank:
    """A customer's place as it is shown."""
    rank, figures = place
    return pb.CustomerRank(
        rank=rank,
        customer_id=figures.member,
        spent=format_amount(figures.first, currency),
        currency=currency,
        orders=figures.second,
    )


def product_rank_to_proto(place: Place, names: Mapping[str, str], currency: str) -> pb.ProductRank:
    """A product's place as it is shown."""
    rank, figures = place
    return pb.ProductRank(
        rank=rank,
        sku=figures.member,
        name=names.get(figures.member, ""),
        units=figures.first,
        revenue=format_amount(figures.second, currency),
        currency=currency,
    )


def rebuild_to_proto(rebuild: Rebuild) -> pb.Rebuild:
    """Where a rebuild stands, as it is shown."""
    return pb.Rebuild(
        running=rebuild.is_running,
        published=rebuild.is_published,
        asked_at=rebuild.asked_at and _moment(rebuild.asked_at),
        finished_at=rebuild.finished_at and _moment(rebuild.finished_at),
    )


def _moment(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
