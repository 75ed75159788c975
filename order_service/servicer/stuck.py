"""The gRPC face for operators: which orders are stuck, and the lever to ask again on their behalf."""

from typing import Final

from chassis import tracing
from chassis.access.caller import current
from chassis.batcher import Writer
from chassis.database import Database
from chassis.interceptor import Context
from order_service import queries, wire
from order_service.commands import ResumeOrder
from protos.orders.v1 import orders_pb2
from protos.orders.v1 import stuck_pb2 as pb
from protos.orders.v1.stuck_pb2_grpc import StuckOrderServiceServicer

_PAGE_SIZE: Final = 15


class StuckOrderServicer(StuckOrderServiceServicer):
    """Shows what waits for too long, and sends its open requests again."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def ListStuckOrders(self, request: pb.ListStuckOrdersRequest, context: Context) -> pb.ListStuckOrdersResponse:
        """A page of stuck orders, newest first."""
        size = request.page_size if request.HasField("page_size") else _PAGE_SIZE
        page, token = await self._database.aread(
            lambda connection: queries.stuck_orders(connection, size, request.page_token)
        )
        stuck = [wire.stuck_to_proto(each) for each in page]
        return pb.ListStuckOrdersResponse(stuck_orders=stuck, page_size=size, next_page_token=token)

    async def ResumeOrder(self, request: pb.ResumeOrderRequest, context: Context) -> orders_pb2.Order:
        """Asks again at once."""
        command = ResumeOrder(request.order_id.lower(), current.get().actor, tracing.current.get())
        return wire.order_to_proto(await self._writer.submit(command))
