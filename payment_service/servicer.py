"""The gRPC face of payments."""

from collections.abc import Mapping
from typing import Any, Final

from chassis.access.caller import current
from chassis.access.ownership import owner_mark
from chassis.database import Database
from chassis.errors import NotFound, ValidationFailed
from chassis.metrics import counter
from chassis.server import mark_accepted
from chassis.webhooks import BadSignature
from payment_service import queries, wire
from payment_service.commands import PaymentDesk, SettlePayment
from payment_service.domain import Noticed, Payment
from payment_service.ports import ProviderCallbacks
from payment_service.tables import CONTEXT
from protos.payments.v1 import payments_pb2 as pb
from protos.payments.v1.payments_pb2_grpc import PaymentServiceServicer

_SHOWN: Final = 100
_REFUSED: Final = {BadSignature: "bad_signature", ValidationFailed: "malformed"}
_UNKNOWN: Final = "unknown_reference"
_IGNORED: Final = "ignored"


class ProviderNotFound(NotFound):
    """There is no such provider."""


class PaymentServicer(PaymentServiceServicer):
    """Tells what became of an order's money, and hears of it from operators and providers."""

    def __init__(self, database: Database, desk: PaymentDesk, callbacks: Mapping[str, ProviderCallbacks]) -> None:
        self._database = database
        self._desk = desk
        self._callbacks = callbacks
        self._webhooks = counter(CONTEXT, "webhooks", "Webhooks of providers by what became of them", "outcome")
        for outcome in (*Noticed, *_REFUSED.values(), _UNKNOWN, _IGNORED):
            self._webhooks.labels(outcome)  # told from the start, as 0

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Any) -> pb.Payment:
        """One payment."""
        shown = await self._database.aread(lambda connection: queries.get_payment(connection, request.payment_id))
        if not _may_see(shown.payment):
            raise queries.PaymentNotFound(f"there is no payment {request.payment_id}")
        return wire.payment_to_proto(*shown)

    async def ListPayments(self, request: pb.ListPaymentsRequest, context: Any) -> pb.ListPaymentsResponse:
        """An order's payments; none yet, an order nobody has heard of here, another's order: an empty list."""
        found = await self._database.aread(lambda connection: queries.list_payments(connection, request.order_id))
        seen = (shown for shown in found if _may_see(shown.payment))
        return pb.ListPaymentsResponse(payments=[wire.payment_to_proto(*shown) for shown in seen])

    async def SettlePayment(self, request: pb.SettlePaymentRequest, context: Any) -> pb.Payment:
        """The payment as an operator has ended it."""
        command = SettlePayment(
            request.payment_id,
            wire.settlement_of(request.outcome),
            request.evidence,
            request.provider_reference,
            request.refund_id,
            current.get().actor,
        )
        return wire.payment_to_proto(*await self._desk.settle(command))

    async def ListDifferences(self, request: pb.ListDifferencesRequest, context: Any) -> pb.ListDifferencesResponse:
        """What the provider's books and ours do not agree about."""
        found = await self._database.aread(lambda connection: queries.list_differences(connection, _SHOWN))
        return pb.ListDifferencesResponse(differences=map(wire.difference_to_proto, found))

    async def ReceiveProviderWebhook(
        self, request: pb.ReceiveProviderWebhookRequest, context: Any
    ) -> pb.ReceiveProviderWebhookResponse:
        """Let in what is signed now, and make of it what it means; whatever becomes of it is counted."""
        try:
            outcome = await self._taken_in(request)
        except (BadSignature, ValidationFailed, NotFound) as refusal:
            self._webhooks.labels(_REFUSED.get(type(refusal), _UNKNOWN)).inc()
            raise
        self._webhooks.labels(outcome).inc()
        mark_accepted(context)
        return pb.ReceiveProviderWebhookResponse()

    async def _taken_in(self, request: pb.ReceiveProviderWebhookRequest) -> str:
        callbacks = self._callbacks.get(request.provider)
        if callbacks is None:
            raise ProviderNotFound("there is no such provider")
        notice = callbacks.open(request.timestamp, request.signature, request.message.data)
        return _IGNORED if notice is None else await self._desk.notice(notice)


def _may_see(payment: Payment) -> bool:
    """Rule (P13): known here by the order's own fact, so that no question from outside can make it another's."""
    caller = current.get()
    return not caller.is_customer or payment.owner_mark == owner_mark(payment.order_id, caller.customer_id)
