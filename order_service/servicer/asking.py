"""One of several orders that are read at a time: who asks for it, and what they are told."""

from dataclasses import dataclass

from chassis.access.caller import ANYBODY, Caller
from chassis.errors import Refusal
from chassis.status import status_of
from chassis.validation import validate
from order_service import wire
from order_service.domain import OrderNotFound
from order_service.tables import CONTEXT, Shown
from protos.orders.v1 import orders_pb2 as pb


@dataclass(frozen=True, slots=True)
class Asking:
    """An entry that may be answered, or why it may not."""

    order_id: str
    caller: Caller = ANYBODY
    refusal: Refusal | None = None

    @classmethod
    def of(cls, request: pb.GetOrderRequest, caller: Caller | Refusal) -> "Asking":
        """The entry of a request, with what there is against it before anything is read."""
        try:
            if isinstance(caller, Refusal):
                raise caller
            validate(request)
        except Refusal as refusal:  # an answer to this entry alone
            return cls("", refusal=refusal)
        return cls(request.order_id.lower(), caller)

    def answered(self, found: Shown | BaseException | None) -> pb.BatchGetOrdersResult:
        """Rule (P13): another customer's order does not exist, in the same words as one that was never placed."""
        try:
            return pb.BatchGetOrdersResult(order=wire.order_to_proto(self._seen(found)))
        except Refusal as refusal:  # an answer to this entry alone
            return pb.BatchGetOrdersResult(error=status_of(refusal, CONTEXT))

    def _seen(self, found: Shown | BaseException | None) -> Shown:
        if self.refusal is not None:
            raise self.refusal
        if isinstance(found, BaseException):
            raise found
        if found is None or not self.caller.may_see(found.terms.customer_id):
            raise OrderNotFound(f"there is no order {self.order_id}")
        return found
