"""Stuck orders as they are shown."""

from order_service.domain import Stuck
from protos.orders.v1 import stuck_pb2 as pb


def stuck_to_proto(stuck: Stuck) -> pb.StuckOrder:
    """A stuck order, with the reason in a sentence."""
    message = pb.StuckOrder(
        order_id=stuck.id,
        customer_id=stuck.customer_id,
        status=f"ORDER_STATUS_{stuck.status}",
        payment_status=f"PAYMENT_STATUS_{stuck.payment_status}",
        attention=stuck.attention or ("parked" if stuck.letter else None),
        reason=stuck.reason,
        requests_sent=stuck.requests_sent,
    )
    message.waiting_since.FromDatetime(stuck.heard_at)
    if stuck.next_try_at is not None:
        message.next_try_at.FromDatetime(stuck.next_try_at)
    return message
