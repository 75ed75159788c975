"""The gRPC face of orders."""

from order_service.servicer.orders import OrderServicer, order_reader
from order_service.servicer.placing import PlacingDesk

__all__ = ["OrderServicer", "PlacingDesk", "order_reader"]
