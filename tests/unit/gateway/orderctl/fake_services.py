"""The services as the command line sees them: what they answer is laid out by a test, what they were asked is kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api import httpbody_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from protos.inventory.v1 import inventory_pb2 as inventory
from protos.inventory.v1 import inventory_pb2_grpc as inventory_grpc
from protos.operations.v1 import operations_pb2 as operations
from protos.operations.v1 import operations_pb2_grpc as operations_grpc
from protos.orders.v1 import imports_pb2 as imports
from protos.orders.v1 import imports_pb2_grpc as imports_grpc
from protos.orders.v1 import orders_pb2 as orders
from protos.orders.v1 import orders_pb2_grpc as orders_grpc
from protos.orders.v1 import privacy_pb2 as privacy
from protos.orders.v1 import privacy_pb2_grpc as privacy_grpc
from protos.orders.v1 import reports_pb2 as reports
from protos.orders.v1 import reports_pb2_grpc as reports_grpc
from protos.orders.v1 import stuck_pb2 as stuck
from protos.orders.v1 import stuck_pb2_grpc as stuck_grpc
from protos.payments.v1 import payments_pb2 as payments
from protos.payments.v1 import payments_pb2_grpc as payments_grpc

Context = grpc.ServicerContext


def refuse(context: Context, code: int, reason: str, message: str, fields: dict[str, str] | None = None) -> Any:
    """End the call the way the services do."""
    status = status_pb2.Status(code=code, message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="orders"))
    if fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=path, description=sentence)
            for path, sentence in fields.items()
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    context.abort_with_status(rpc_status.to_status(status))


@dataclass
class FakeOrders(orders_grpc.OrderServiceServicer, reports_grpc.ReportServiceServicer):
    """Three orders, and the refusal that a test names."""

    asked: list[Message] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, str, str] | None = None
    rebuild_goes_on: bool = False

    def GetOrder(self, request: orders.GetOrderRequest, context: Context) -> orders.Order:
        self._note(request, context)
        return self._order(request.order_id)

    def CreateOrder(self, request: orders.CreateOrderRequest, context: Context) -> orders.Order:
        self._note(request, context)
        return self._order("new")

    def CancelOrder(self, request: orders.CancelOrderRequest, context: Context) -> orders.Order:
        self._note(request, context)
        return orders.Order(id=request.order_id, status=orders.ORDER_STATUS_CANCELLED)

    def RefundOrder(self, request: orders.RefundOrderRequest, context: Context) -> orders.Refund:
        self._note(request, context)
        return orders.Refund(id="refund-1", order_id=request.order_id, status=orders.REFUND_STATUS_PENDING)

    def WatchOrders(self, request: orders.WatchOrdersRequest, context: Context) -> Iterator[orders.OrderEvent]:
        self._note(request, context)
        for number, status in enumerate((orders.ORDER_STATUS_RESERVED, orders.ORDER_STATUS_COMPLETED)):
            yield orders.OrderEvent(id=str(number), type="OrderSomething", order_id="order-1", status=status)

    def ListOrders(self, request: orders.ListOrdersRequest, context: Context) -> orders.ListOrdersResponse:
        self._note(request, context)
        first = int(request.page_token or 0)
        last = min(3, first + request.page_size)
        found = [self._order(f"order-{place}") for place in range(first, last)]
        return orders.ListOrdersResponse(orders=found, next_page_token=str(last) if last < 3 else "")

    def ListOrderTimeline(
        self, request: orders.ListOrderTimelineRequest, context: Context
    ) -> orders.ListOrderTimelineResponse:
        self._note(request, context)
        step = orders.TimelineStep(version=1, to=orders.ORDER_STATUS_PENDING, reason="Placed.", actor="c-1")
        return orders.ListOrderTimelineResponse(steps=[step])

    def GetDailyKpis(self, request: reports.GetDailyKpisRequest, context: Context) -> reports.Kpis:
        self._note(request, context)
        return reports.Kpis(revenue="46376.49", currency="GBP", orders=121)

    def GetRangeKpis(self, request: reports.GetRangeKpisRequest, context: Context) -> reports.Kpis:
        self._note(request, context)
        return reports.Kpis(revenue="572713.89", currency="GBP", orders=1400)

    def GetRealtimeKpis(self, request: reports.GetRealtimeKpisRequest, context: Context) -> reports.RealtimeKpis:
        self._note(request, context)
        waiting = reports.StatusCount(status=orders.ORDER_STATUS_AWAITING_RESTOCK, orders=7)
        return reports.RealtimeKpis(statuses=[waiting], minutes=[reports.MinuteCount(orders=31, completed=29)])

    def ListCustomerRanks(
        self, request: reports.ListCustomerRanksRequest, context: Context
    ) -> reports.ListCustomerRanksResponse:
        self._note(request, context)
        first = reports.CustomerRank(rank=1, customer_id="18102", spent="27834.61", currency="GBP", orders=8)
        return reports.ListCustomerRanksResponse(customers=[first])

    def GetCustomerRank(self, request: reports.GetCustomerRankRequest, context: Context) -> reports.CustomerRank:
        self._note(request, context)
        return reports.CustomerRank(rank=2, customer_id=request.customer_id, spent="19950.66", currency="GBP")

    def ListProductRanks(
        self, request: reports.ListProductRanksRequest, context: Context
    ) -> reports.ListProductRanksResponse:
        self._note(request, context)
        first = reports.ProductRank(rank=1, sku="84077", name="GLASS STAR", units=5139, revenue="1081.17")
        return reports.ListProductRanksResponse(products=[first])

    def RebuildReports(self, request: reports.RebuildReportsRequest, context: Context) -> reports.Rebuild:
        self._note(request, context)
        return reports.Rebuild(running=True)

    def GetRebuild(self, request: reports.GetRebuildRequest, context: Context) -> reports.Rebuild:
        self._note(request, context)
        return reports.Rebuild(running=self.rebuild_goes_on, published=True)

    def _note(self, request: Message, context: Context) -> None:
        self.asked.append(request)
        self.metadata = {key: str(value) for key, value in context.invocation_metadata()}
        if self.refusal is not None:
            refuse(context, *self.refusal)

    def _order(self, order_id: str) -> orders.Order:
        return orders.Order(id=order_id, customer_id="c-1", status=orders.ORDER_STATUS_COMPLETED, total_amount="5.10")


@dataclass
class FakeImports(imports_grpc.ImportServiceServicer):
    """Takes one file; `stages` are what the import looks like each time it is asked for."""

    stages: list[imports.Import] = field(default_factory=list)
    demand: list[imports.ImportDemand] = field(default_factory=list)
    refusal: tuple[int, str, str] | None = None
    away: int = 0
    """How many looks find nobody at home."""
    spec: imports.ImportSpec | None = None
    taken: bytes = b""
    is_complete: bool = False
    looks: int = 0

    def CreateImport(self, requests: Iterator[imports.CreateImportRequest], context: Context) -> imports.Import:
        for request in requests:
            if request.WhichOneof("part") == "spec":
                self.spec = request.spec
            self.taken += request.chunk
            self.is_complete = request.complete
        if self.refusal is not None:
            refuse(context, *self.refusal)
        return imports.Import(id="import-1", source="s", status=imports.IMPORT_STATUS_CHECKING, rows=3)

    def GetImport(self, request: imports.GetImportRequest, context: Context) -> imports.Import:
        self.looks += 1
        if self.looks <= self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
        return self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]

    def ListImports(self, request: imports.ListImportsRequest, context: Context) -> imports.ListImportsResponse:
        return imports.ListImportsResponse(imports=self.stages)

    def ResumeImport(self, request: imports.ResumeImportRequest, context: Context) -> imports.Import:
        return imports.Import(id=request.import_id, status=imports.IMPORT_STATUS_CHECKING)

    def CancelImport(self, request: imports.CancelImportRequest, context: Context) -> imports.Import:
        return imports.Import(id=request.import_id, status=imports.IMPORT_STATUS_CANCELLED)

    def DownloadRejects(
        self, request: imports.DownloadRejectsRequest, context: Context
    ) -> Iterator[httpbody_pb2.HttpBody]:
        yield httpbody_pb2.HttpBody(data=b"line,invoice,reason\r\n")
        yield httpbody_pb2.HttpBody(data=b"3,C1,Quantity is missing\r\n")

    def ListImportDemand(
        self, request: imports.ListImportDemandRequest, context: Context
    ) -> imports.ListImportDemandResponse:
        first = int(request.page_token or 0)
        page = self.demand[first : first + 2]
        token = str(first + 2) if first + 2 < len(self.demand) else ""
        return imports.ListImportDemandResponse(demand=page, next_page_token=token)


@dataclass
class FakeInventory(inventory_grpc.CatalogueServiceServicer, inventory_grpc.InventoryServiceServicer):
    """A catalogue and its receipts, each kept by its key."""

    products: dict[str, inventory.Product] = field(default_factory=dict)
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)

    def PutProduct(self, request: inventory.PutProductRequest, context: Context) -> inventory.Product:
        product = inventory.Product(
            sku=request.sku, name=request.name, price=request.price, currency=request.currency,
            supply=request.supply, active=request.active,
        )  # fmt: skip
        self.products[request.sku] = product
        return product

    def BatchPutProducts(
        self, request: inventory.BatchPutProductsRequest, context: Context
    ) -> inventory.BatchPutProductsResponse:
        wrong = [place for place, product in enumerate(request.products) if product.currency != "GBP"]
        if wrong:
            fields = {f"products[{wrong[0]}].currency": "must be GBP, the currency of this installation"}
            refuse(context, code_pb2.INVALID_ARGUMENT, "currency_mismatch", "another currency", fields)
        if request.validate_only:
            return inventory.BatchPutProductsResponse()
        products = [self.PutProduct(product, context) for product in request.products]
        return inventory.BatchPutProductsResponse(products=products)

    def BatchGetProducts(
        self, request: inventory.BatchGetProductsRequest, context: Context
    ) -> inventory.BatchGetProductsResponse:
        found = [self.products[sku] for sku in request.skus if sku in self.products]
        return inventory.BatchGetProductsResponse(products=found)

    def ListProducts(self, request: inventory.ListProductsRequest, context: Context) -> inventory.ListProductsResponse:
        return inventory.ListProductsResponse(products=list(self.products.values())[: request.page_size])

    def ReceiveStock(self, request: inventory.ReceiveStockRequest, context: Context) -> inventory.StockChange:
        self.receipts[request.sku, request.idempotency_key] = request.quantity
        stock = inventory.Stock(sku=request.sku, on_hand=request.quantity, available=request.quantity)
        return inventory.StockChange(sku=request.sku, quantity_delta=request.quantity, stock=stock)

    def BatchReceiveStock(
        self, request: inventory.BatchReceiveStockRequest, context: Context
    ) -> inventory.BatchReceiveStockResponse:
        new = {(receipt.sku, receipt.idempotency_key): receipt.quantity for receipt in request.receipts}
        received = len(new.keys() - self.receipts.keys())
        self.receipts |= new
        return inventory.BatchReceiveStockResponse(received=received, repeated_receipts=len(new) - received)


@dataclass
class FakeOperations(
    operations_grpc.OperationsServiceServicer,
    stuck_grpc.StuckOrderServiceServicer,
    privacy_grpc.PrivacyServiceServicer,
):
    """One dead letter, one stuck order, and customers who are forgotten at the second question."""

    asked: list[Message] = field(default_factory=list)
    unfinished_orders: int = 0

    def ForgetCustomer(self, request: privacy.ForgetCustomerRequest, context: Context) -> privacy.Forgetting:
        is_over = request in self.asked and not self.unfinished_orders
        self.asked.append(request)
        status = privacy.FORGETTING_STATUS_FORGOTTEN if is_over else privacy.FORGETTING_STATUS_FORGETTING
        return privacy.Forgetting(pseudonym="forgotten-1", status=status, unfinished_orders=self.unfinished_orders)

    def ListDeadLetters(
        self, request: operations.ListDeadLettersRequest, context: Context
    ) -> operations.ListDeadLettersResponse:
        self.asked.append(request)
        letter = operations.DeadLetter(id="letter-1", service="orders", error="poison")
        return operations.ListDeadLettersResponse(dead_letters=[letter])

    def ReplayDeadLetters(
        self, request: operations.ReplayDeadLettersRequest, context: Context
    ) -> operations.ReplayDeadLettersResponse:
        self.asked.append(request)
        return operations.ReplayDeadLettersResponse(matched=1, replayed=1)

    def DiscardDeadLetters(
        self, request: operations.DiscardDeadLettersRequest, context: Context
    ) -> operations.DiscardDeadLettersResponse:
        self.asked.append(request)
        return operations.DiscardDeadLettersResponse(matched=1, discarded=1)

    def ListStuckOrders(self, request: stuck.ListStuckOrdersRequest, context: Context) -> stuck.ListStuckOrdersResponse:
        self.asked.append(request)
        found = stuck.StuckOrder(order_id="order-1", status=orders.ORDER_STATUS_PENDING, reason="Inventory is silent.")
        return stuck.ListStuckOrdersResponse(stuck_orders=[found])

    def ResumeOrder(self, request: stuck.ResumeOrderRequest, context: Context) -> orders.Order:
        self.asked.append(request)
        return orders.Order(id=request.order_id, status=orders.ORDER_STATUS_PENDING)

    def ListAuditEntries(
        self, request: operations.ListAuditEntriesRequest, context: Context
    ) -> operations.ListAuditEntriesResponse:
        self.asked.append(request)
        entry = operations.AuditEntry(id="entry-1", service="orders", action="discard_dead_letters")
        return operations.ListAuditEntriesResponse(entries=[entry])


@dataclass
class FakePayments(payments_grpc.PaymentServiceServicer):
    """One payment, and one difference of the books."""

    asked: list[Message] = field(default_factory=list)

    def ListPayments(self, request: payments.ListPaymentsRequest, context: Context) -> payments.ListPaymentsResponse:
        self.asked.append(request)
        return payments.ListPaymentsResponse(payments=[payments.Payment(id="payment-1", order_id=request.order_id)])

    def SettlePayment(self, request: payments.SettlePaymentRequest, context: Context) -> payments.Payment:
        self.asked.append(request)
        return payments.Payment(id=request.payment_id, status=payments.PAYMENT_STATUS_CAPTURED)

    def ListDifferences(
        self, request: payments.ListDifferencesRequest, context: Context
    ) -> payments.ListDifferencesResponse:
        difference = payments.Difference(payment_id="payment-1", detail="the provider holds nothing")
        return payments.ListDifferencesResponse(differences=[difference])


@dataclass
class FakeServices:
    """All of them on one port."""

    orders: FakeOrders = field(default_factory=FakeOrders)
    imports: FakeImports = field(default_factory=FakeImports)
    inventory: FakeInventory = field(default_factory=FakeInventory)
    operations: FakeOperations = field(default_factory=FakeOperations)
    payments: FakePayments = field(default_factory=FakePayments)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve; yields the address."""
        server = grpc.server(ThreadPoolExecutor(4))
        orders_grpc.add_OrderServiceServicer_to_server(self.orders, server)
        reports_grpc.add_ReportServiceServicer_to_server(self.orders, server)
        imports_grpc.add_ImportServiceServicer_to_server(self.imports, server)
        inventory_grpc.add_CatalogueServiceServicer_to_server(self.inventory, server)
        inventory_grpc.add_InventoryServiceServicer_to_server(self.inventory, server)
        operations_grpc.add_OperationsServiceServicer_to_server(self.operations, server)
        stuck_grpc.add_StuckOrderServiceServicer_to_server(self.operations, server)
        privacy_grpc.add_PrivacyServiceServicer_to_server(self.operations, server)
        payments_grpc.add_PaymentServiceServicer_to_server(self.payments, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


VALIDATION = (code_pb2.INVALID_ARGUMENT, "validation_error", "the request is not valid")
UNUSABLE = (code_pb2.INVALID_ARGUMENT, "unusable_file", "The file is empty.")
TOO_LARGE = (code_pb2.OUT_OF_RANGE, "payload_too_large", "The file is larger than 10 bytes (IMPORT_MAX_BYTES).")
NOT_FOUND = (code_pb2.NOT_FOUND, "not_found", "there is no such order")
