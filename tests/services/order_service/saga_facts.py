"""Facts of the other contexts, as they tell them."""

from datetime import timedelta
from typing import Any

from chassis import clock, ids
from protos.inventory.events.v1.events_pb2 import Shortage, StockRejected, StockReleased, StockReserved, StockShortage
from protos.payments.events.v1.events_pb2 import (
    PaymentCaptured,
    PaymentClosed,
    PaymentDeclined,
    PaymentStarted,
    PaymentUnknown,
)


def in_seconds(seconds: float) -> Any:
    """A timestamp so many seconds from now."""
    stamp = PaymentStarted().started_at
    stamp.FromDatetime(clock.now() + timedelta(seconds=seconds))
    return stamp


def reserved(order_id: str, seconds: float = 600) -> StockReserved:
    return StockReserved(order_id=order_id, expires_at=in_seconds(seconds))


def rejected(order_id: str, sku: str = "A") -> StockRejected:
    return StockRejected(order_id=order_id, shortages=[Shortage(sku=sku, requested=5, available=2)])


def short(order_id: str) -> StockShortage:
    shortage = Shortage(sku="A", requested=5, available=2, held=2, supplier="acme", supplier_scenario="ok")
    return StockShortage(order_id=order_id, shortages=[shortage])


def released(order_id: str) -> StockReleased:
    return StockReleased(order_id=order_id)


def started(order_id: str) -> PaymentStarted:
    return PaymentStarted(order_id=order_id, payment_id=ids.new_id(), started_at=in_seconds(0))


def captured(order_id: str) -> PaymentCaptured:
    return PaymentCaptured(
        order_id=order_id, payment_id=ids.new_id(), amount_minor=510, currency="GBP", started_at=in_seconds(0)
    )


def declined(order_id: str) -> PaymentDeclined:
    return PaymentDeclined(order_id=order_id, decline_reason="No funds.", started_at=in_seconds(0))


def unknown(order_id: str, seconds: float = 30) -> PaymentUnknown:
    return PaymentUnknown(order_id=order_id, started_at=in_seconds(0), next_try_at=in_seconds(seconds))


def closed(order_id: str) -> PaymentClosed:
    return PaymentClosed(order_id=order_id)
