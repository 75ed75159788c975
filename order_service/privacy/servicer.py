"""The gRPC face of privacy: decode, delegate, encode."""

import unicodedata
from collections.abc import Callable

from chassis.access.caller import current
from chassis.database import Database
from chassis.interceptor import Context
from chassis.server import mark_accepted
from order_service.privacy import commands, queries, wire
from protos.orders.v1 import privacy_pb2 as pb
from protos.orders.v1.privacy_pb2_grpc import PrivacyServiceServicer


class PrivacyServicer(PrivacyServiceServicer):
    """Takes the wish that a customer be forgotten, and tells how far it is."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake

    async def ForgetCustomer(self, request: pb.ForgetCustomerRequest, context: Context) -> pb.Forgetting:
        """Accepted, not done, while anything still bears the customer's name."""
        customer_id, actor = unicodedata.normalize("NFC", request.customer_id).strip(), current.get().actor

        forgetting = await self._database.aread(lambda connection: queries.standing(connection, customer_id))
        if forgetting is None:  # only now: beginning holds up those who are placing
            forgetting = await self._database.awrite(lambda c: commands.ask_to_forget(c, customer_id, actor))
        unfinished = 0
        if not forgetting.is_over:
            unfinished = await self._database.aread(lambda c: queries.unfinished_orders(c, forgetting.customer_id))
            self._wake()
            mark_accepted(context)
        return wire.forgetting_to_proto(forgetting, unfinished)
