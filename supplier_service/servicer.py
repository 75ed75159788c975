"""The gRPC face of suppliers."""

from typing import Any, Final

from chassis import tracing
from chassis.batcher import Writer
from chassis.database import Database
from chassis.errors import NotFound, ValidationFailed
from chassis.metrics import counter
from chassis.server import mark_accepted
from chassis.webhooks import BadSignature, WebhookSecret
from protos.suppliers.v1 import suppliers_pb2 as pb
from protos.suppliers.v1.suppliers_pb2_grpc import SupplierServiceServicer
from supplier_service import queries, wire
from supplier_service.commands import TakeNews
from supplier_service.domain import CONTEXT

_PAGE_SIZE: Final = 15
_OUTCOMES: Final = {
    BadSignature: "bad_signature",
    NotFound: "unknown_reference",
    ValidationFailed: "malformed",
}


class SupplierDoor:
    """Lets in what is signed by those who know the secret, whichever way it came."""

    def __init__(self, writer: Writer, secret: WebhookSecret) -> None:
        self._writer = writer
        self._secret = secret
        webhooks = counter(CONTEXT, "webhooks", "Messages of suppliers by what became of them", "outcome")
        self._counted = {name: webhooks.labels(name) for name in ("applied", "repeated", *_OUTCOMES.values())}

    async def take(self, supplier: str, timestamp: str, signature: str, body: bytes) -> None:
        """Let a signed message in. Raises BadSignature, NotFound, ValidationFailed, or Unavailable."""
        try:
            # Before anything else: what is not signed is not even read.
            self._secret.verify(timestamp, signature, body)
            reference, news = wire.news_of(body)
            trace = tracing.current.get() or tracing.new_traceparent()
            is_news = await self._writer.submit(TakeNews(supplier, reference, news, trace))
        except (BadSignature, NotFound, ValidationFailed) as refusal:
            kind = next(kind for kind in _OUTCOMES if isinstance(refusal, kind))
            self._counted[_OUTCOMES[kind]].inc()
            raise
        self._counted["applied" if is_news else "repeated"].inc()


class SupplierServicer(SupplierServiceServicer):
    """Tells what is on its way, and hears what suppliers tell of it."""

    def __init__(self, database: Database, door: SupplierDoor) -> None:
        self._database = database
        self._door = door

    async def ReceiveWebhook(self, request: pb.ReceiveWebhookRequest, context: Any) -> pb.ReceiveWebhookResponse:
        """Let a signed message of a supplier in."""
        await self._door.take(request.supplier, request.timestamp, request.signature, request.message.data)
        mark_accepted(context)
        return pb.ReceiveWebhookResponse()

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
