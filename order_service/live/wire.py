"""Changes and watches on the wire."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import ValidationFailed
from chassis.money import format_amount
from chassis.status import fitting, status_of
from order_service.domain import PaymentStatus, Status
from order_service.live.domain import Change, Delivery, Ended, Joined, Subject, Told
from protos.orders.v1 import orders_pb2 as pb

_STATUSES: Final = {status.value: getattr(pb, f"ORDER_STATUS_{status}") for status in Status}
_PAYMENT_STATUSES: Final = {status.value: getattr(pb, f"PAYMENT_STATUS_{status}") for status in PaymentStatus}


def subject_of(request: pb.WatchOrdersRequest) -> Subject:
    """What is to be watched. Raises ValidationFailed."""
    customer_id = unicodedata.normalize("NFC", request.customer_id.strip())
    if bool(request.order_id) is bool(customer_id):
        sentence = "must be given, or a customer, and not both"
        raise ValidationFailed("the request is not valid", fields={"order_id": [sentence]})
    return Subject(request.order_id.lower(), customer_id)


def change_to_proto(change: Change) -> pb.OrderEvent:
    """A change as watchers are told."""
    return pb.OrderEvent(
        id=str(change.position or ""),
        type=change.type,
        order_id=change.order_id,
        customer_id=change.customer_id,
        status=_STATUSES.get(change.status),
        payment_status=_PAYMENT_STATUSES.get(change.payment_status),
        total_amount=format_amount(change.total_minor, change.currency) if change.currency else "",
        currency=change.currency,
        reason=change.reason,
        version=change.version,
        at=_timestamp(change.at),
    )


def told_to_proto(told: Iterable[Told], domain: str) -> pb.BatchWatchOrdersResponse:
    """One message of a stream with many watches; `domain` is the context that refuses."""
    message = pb.BatchWatchOrdersResponse()
    for each in told:
        if isinstance(each, Delivery):
            message.deliveries.add(watch_ids=each.watch_ids, event=change_to_proto(each.change))
        elif isinstance(each, Joined):
            message.joined.add(watch_id=each.watch_id, position=str(each.position), is_caught_up=each.is_caught_up)
        elif isinstance(each, Ended):
            message.ended.add(watch_id=each.watch_id, error=fitting(status_of(each.error, domain)))
        else:
            message.position = str(each.position)
    return message


@lru_cache(maxsize=256)
def _timestamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
