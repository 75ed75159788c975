"""Orders as lines of a file for spreadsheets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import orjson
from google.api import httpbody_pb2

from chassis.money import format_amount
from chassis.spreadsheet import MEDIA_TYPE, csv_of
from order_service.tables import Shown

_COLUMNS: Final = (
    "id", "customer_id", "status", "payment_status", "total_amount", "refunded_amount", "currency", "items",
    "stock_policy", "payment_method", "idempotency_key", "external_ref", "failure_code", "attention", "placed_at",
    "completed_at", "cancelled_at", "updated_at", "version",
)  # fmt: skip


def export_head() -> httpbody_pb2.HttpBody:
    """The first line: the names of the columns."""
    return httpbody_pb2.HttpBody(content_type=MEDIA_TYPE, data=csv_of([_COLUMNS]))


def export_piece(orders: Sequence[Shown]) -> httpbody_pb2.HttpBody:
    """A line for each order."""
    return httpbody_pb2.HttpBody(content_type=MEDIA_TYPE, data=csv_of(map(_cells, orders)))


def _cells(shown: Shown) -> tuple[object, ...]:
    standing, terms = shown
    return (
        standing.id,
        terms.customer_id,
        standing.status,
        standing.payment_status,
        format_amount(terms.total_minor, terms.currency),
        format_amount(standing.refunded_minor, terms.currency),
        terms.currency,
        _items(shown),
        terms.stock_policy,
        terms.payment_method,
        terms.idempotency_key,
        terms.external_ref,
        standing.failure_code,
        standing.attention,
        _time(terms.placed_at),
        _time(standing.completed_at),
        _time(standing.cancelled_at),
        _time(standing.updated_at),
        standing.version,
    )


def _items(shown: Shown) -> str:
    currency = shown.terms.currency
    lines = [
        {
            "sku": line["sku"],
            "name": line["name"],
            "quantity": line["quantity"],
            "unit_price": format_amount(line["unit_price_minor"], currency),
        }
        for line in shown.terms.items
    ]
    return orjson.dumps(lines).decode()


def _time(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else ""
