"""Paid orders, and refunds as they are asked for and carried out."""

from typing import Any

from chassis import ids
from order_service.commands import RefundOrder, RefundStands
from order_service.domain import WantedRefund
from protos.payments.events.v1.events_pb2 import RefundSucceeded
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import TRACE, Shop


def a_paid_order(shop: Shop) -> str:
    """Two pieces for 2.55 each."""
    order_id = shop.place(("A", 1), ("A", 1))
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    return order_id


def a_refund(order_id: str, key: str = "", amount_minor: int | None = None, **more: Any) -> RefundOrder:
    """A refund that is asked for; its fingerprint is that of its content."""
    wanted = WantedRefund(key or ids.new_id(), repr((amount_minor, more)).encode(), amount_minor, **more)
    return RefundOrder(ids.new_id(), order_id, wanted, traceparent=TRACE)


def refund_of(result: Any) -> str:
    """The id of a refund that stands."""
    assert isinstance(result, RefundStands), result
    return result.refund.id


def succeeded(order_id: str, refund_id: str, amount_minor: int) -> RefundSucceeded:
    """The money went back."""
    return RefundSucceeded(order_id=order_id, refund_id=refund_id, amount_minor=amount_minor)
