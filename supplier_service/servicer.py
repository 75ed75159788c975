"""The gRPC face of suppliers."""

from typing import Any, Final

from chassis.database import Database
from protos.suppliers.v1 import suppliers_pb2 as pb
from protos.suppliers.v1.suppliers_pb2_grpc import SupplierServiceServicer
from supplier_service import queries, wire

_PAGE_SIZE: Final = 15


class SupplierServicer(SupplierServiceServicer):
    """Tells what is on its way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetSupplierOrder(self, request: pb.GetSupplierOrderRequest, context: Any) -> pb.SupplierOrder:
        """One supplier order."""
        wanted = request.supplier_order_id
        shown = await self._database.aread(lambda connection: queries.get_supplier_order(connection, wanted))
        return wire.supplier_order_to_proto(*shown)

    async def ListSupplierOrders(
        self, request: pb.ListSupplierOrdersRequest, context: Any
    ) -> pb.ListSupplierOrdersResponse:
        """Supplier orders, newest first."""
        size = request.page_size if request.HasField("page_size") else _PAGE_SIZE
        page, token = await self._database.aread(
            lambda connection: queries.list_supplier_orders(connection, request.order_id, size, request.page_token)
        )
        return pb.ListSupplierOrdersResponse(
            supplier_orders=[wire.supplier_order_to_proto(*shown) for shown in page],
            page_size=size,
            next_page_token=token,
        )
