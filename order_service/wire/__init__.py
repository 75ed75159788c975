"""Orders between the domain and protobuf, and nowhere else."""

from order_service.wire.asked import Asked, decode, normal
from order_service.wire.exported import export_head, export_piece
from order_service.wire.heard import failure_of, instant, missing_goods_of, product_of, shortages_of
from order_service.wire.refunds import refund_to_proto, wanted_refund
from order_service.wire.shown import insufficient_stock, order_to_proto, status_name, step_to_proto, update_order
from order_service.wire.stuck import stuck_to_proto
from order_service.wire.told import order_placed, outgoing_of

__all__ = [
    "Asked",
    "decode",
    "export_head",
    "export_piece",
    "failure_of",
    "instant",
    "insufficient_stock",
    "missing_goods_of",
    "normal",
    "order_placed",
    "order_to_proto",
    "outgoing_of",
    "product_of",
    "refund_to_proto",
    "shortages_of",
    "status_name",
    "step_to_proto",
    "stuck_to_proto",
    "update_order",
    "wanted_refund",
]
