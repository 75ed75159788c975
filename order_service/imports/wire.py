"""Imports between the domain and protobuf, and their rejects as CSV."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.money import format_amount
from chassis.spreadsheet import MEDIA_TYPE, csv_of
from order_service.domain import Line
from order_service.imports.domain import ImportSpec
from order_service.imports.queries import ImportView
from protos.orders.v1 import imports_pb2 as pb

REJECTS_HEAD: Final = ("line", "invoice", "reason")


def spec_from_proto(spec: pb.ImportSpec) -> ImportSpec:
    """What a file is; the source is trimmed and NFC-normalised like every text."""
    return ImportSpec(unicodedata.normalize("NFC", spec.source.strip()), spec.dry_run, spec.gzip)


def import_to_proto(view: ImportView, now: datetime) -> pb.Import:
    """An import with its rate and its time left, as of `now`."""
    message = pb.Import(
        id=view.id,
        source=view.source,
        status=f"IMPORT_STATUS_{view.status}",
        dry_run=view.dry_run,
        rows=view.rows,
        orders=view.orders,
        already_imported=view.already_imported,
        rejected_orders=view.rejected_orders,
        rejected_rows=view.rejected_rows,
        terminal_orders=view.terminal_orders,
        placed_orders=view.placed_orders,
        orders_per_second=round(view.orders_per_second(now), 1),
        seconds_left=view.seconds_left(now),
        orders_by_status=view.orders_by_status,
        failure_message=view.failure_message,
        created_at=_timestamp(view.created_at),
        seconds=view.seconds(now),
    )
    if view.finished_at is not None:
        message.finished_at.CopyFrom(_timestamp(view.finished_at))
    return message


def demand_to_proto(line: Line, currency: str) -> pb.ImportDemand:
    """What a file needs of one SKU."""
    price = format_amount(line.unit_price_minor, currency)
    return pb.ImportDemand(sku=line.sku, name=line.name, unit_price=price, currency=currency, quantity=line.quantity)


def csv_piece(rows: Iterable[Iterable[object]]) -> httpbody_pb2.HttpBody:
    """Some rows of the file of rejects."""
    return httpbody_pb2.HttpBody(content_type=MEDIA_TYPE, data=csv_of(rows))


def _timestamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
