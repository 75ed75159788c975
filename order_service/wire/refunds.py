"""Refunds between the domain and protobuf: what is asked for, and what is shown."""

from hashlib import blake2b
from typing import Any, Final

import orjson

from chassis.errors import ValidationFailed
from chassis.money import format_amount, parse_amount
from order_service.domain import CurrencyMismatch, Refund, RefundStatus, WantedRefund
from order_service.wire.asked import normal
from order_service.wire.shown import timestamp
from protos.orders.v1 import orders_pb2 as pb

_STATUSES: Final = {status: getattr(pb, f"REFUND_STATUS_{status}") for status in RefundStatus}


def wanted_refund(request: pb.RefundOrderRequest, currency: str) -> WantedRefund:
    """The refund that is asked for. Raises ValidationFailed, naming the field, and CurrencyMismatch."""
    if request.currency and request.currency != currency:
        sentence = f"must be {currency}, the currency of this installation"
        raise CurrencyMismatch(f"the refund is in {request.currency}", fields={"currency": [sentence]})
    key = normal(request.idempotency_key)
    if not key:
        raise _wrong("idempotency_key", "must not be blank")
    items = [(normal(item.sku), item.quantity) for item in request.items]
    amount = _amount(request, currency)
    reason = normal(request.reason)
    sent: list[Any] = [amount, sorted(items), request.restock, reason]
    fingerprint = blake2b(orjson.dumps(sent), digest_size=16).digest()
    return WantedRefund(key, fingerprint, amount, items, request.restock, reason)


def _amount(request: pb.RefundOrderRequest, currency: str) -> int | None:
    if not request.HasField("amount"):
        return None
    try:
        amount = parse_amount(request.amount, currency)
    except ValueError as error:
        raise _wrong("amount", str(error)) from error
    if amount == 0:
        raise _wrong("amount", "must be more than 0")
    return amount


def _wrong(field: str, sentence: str) -> ValidationFailed:
    return ValidationFailed("the request is not valid", fields={field: [sentence]})


def refund_to_proto(refund: Refund, currency: str) -> pb.Refund:
    """A refund as it is shown."""
    return pb.Refund(
        id=refund.id,
        order_id=refund.order_id,
        status=_STATUSES[refund.status],
        amount=format_amount(refund.amount_minor, currency),
        currency=currency,
        items=[pb.RefundItem(sku=sku, quantity=quantity) for sku, quantity in sorted(refund.items.items())],
        restock=refund.restock,
        reason=refund.reason,
        idempotency_key=refund.idempotency_key,
        failure_message=refund.failure_message,
        created_at=timestamp(refund.created_at),
        updated_at=timestamp(refund.updated_at),
    )
