"""The gRPC face of payments."""

from typing import Any

from chassis.database import Database
from payment_service import queries, wire
from protos.payments.v1 import payments_pb2 as pb
from protos.payments.v1.payments_pb2_grpc import PaymentServiceServicer


class PaymentServicer(PaymentServiceServicer):
    """Tells what became of an order's money."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Any) -> pb.Payment:
        """One payment."""
        shown = await self._database.aread(lambda connection: queries.get_payment(connection, request.payment_id))
        return wire.payment_to_proto(*shown)

    async def ListPayments(self, request: pb.ListPaymentsRequest, context: Any) -> pb.ListPaymentsResponse:
        """An order's payments; none yet, and an order nobody has heard of here: an empty list."""
        found = await self._database.aread(lambda connection: queries.list_payments(connection, request.order_id))
        return pb.ListPaymentsResponse(payments=[wire.payment_to_proto(*shown) for shown in found])
