"""The gRPC face of orders."""

from order_service.servicer.orders import OrderServicer, order_reader
from order_service.servicer.placing import PlacingDesk
from order_service.servicer.stuck import StuckOrderServicer

__all__ = ["OrderServicer", "PlacingDesk", "StuckOrderServicer", "order_reader"]
