"""The gRPC face of catalogue and stock."""

from collections.abc import Sequence
from typing import Any, Final

from chassis import tracing
from chassis.access.caller import current
from chassis.batcher import Writer
from chassis.database import Database
from chassis.locks import RedisLock
from chassis.server import mark_replayed
from inventory_service import queries, wire
from inventory_service.commands import (
    ChangesRecorded,
    ChangeStock,
    CommitReservation,
    PutProducts,
    ReleaseReservation,
    ReserveStock,
)
from inventory_service.domain import ChangeRequest, Product, Reservation, wrong_field
from protos.inventory.v1 import inventory_pb2 as pb
from protos.inventory.v1.inventory_pb2_grpc import CatalogueServiceServicer, InventoryServiceServicer

_PRODUCTS_A_PAGE: Final = 15
_MOVEMENTS_A_PAGE: Final = 100


class CatalogueServicer(CatalogueServiceServicer):
    """What can be ordered, and for how much."""

    def __init__(self, database: Database, writer: Writer, currency: str) -> None:
        self._database = database
        self._writer = writer
        self._currency = currency

    async def ListProducts(self, request: pb.ListProductsRequest, context: Any) -> pb.ListProductsResponse:
        """Newest first."""
        size = request.page_size if request.HasField("page_size") else _PRODUCTS_A_PAGE
        products, token = await self._database.aread(
            lambda connection: queries.list_products(connection, size, request.page_token)
        )
        return pb.ListProductsResponse(
            products=[wire.product_to_proto(product) for product in products], page_size=size, next_page_token=token
        )

    async def GetProduct(self, request: pb.GetProductRequest, context: Any) -> pb.Product:
        """One product."""
        sku = wire.clean(request.sku)
        return wire.product_to_proto(
            await self._database.aread(lambda connection: queries.get_product(connection, sku))
        )

    async def BatchGetProducts(self, request: pb.BatchGetProductsRequest, context: Any) -> pb.BatchGetProductsResponse:
        """Those that exist."""
        skus = list({wire.clean(sku) for sku in request.skus})
        found = await self._database.aread(lambda connection: queries.products_by_sku(connection, skus))
        return pb.BatchGetProductsResponse(products=[wire.product_to_proto(product) for product in found.values()])

    async def PutProduct(self, request: pb.PutProductRequest, context: Any) -> pb.Product:
        """Make or change one."""
        products: Sequence[Product] = await self._writer.submit(
            PutProducts((wire.offer_of(request, self._currency),), *_by_whom())
        )
        return wire.product_to_proto(products[0])

    async def BatchPutProducts(self, request: pb.BatchPutProductsRequest, context: Any) -> pb.BatchPutProductsResponse:
        """Make or change many, all or none."""
        offers = tuple(
            wire.offer_of(each, self._currency, f"products[{place}].") for place, each in enumerate(request.products)
        )
        if len({offer.sku for offer in offers}) < len(offers):
            raise wrong_field("products", "must name each SKU once")
        if request.validate_only:
            return pb.BatchPutProductsResponse()
        products: Sequence[Product] = await self._writer.submit(PutProducts(offers, *_by_whom()))
        return pb.BatchPutProductsResponse(products=[wire.product_to_proto(product) for product in products])


class InventoryServicer(InventoryServiceServicer):
    """What is on the shelf, and what is held for whom."""

    def __init__(
        self, database: Database, writer: Writer, lock: RedisLock, *, reservation_seconds: int, lock_wait_ms: int
    ) -> None:
        self._database = database
        self._writer = writer
        self._lock = lock
        self._reservation_seconds = reservation_seconds
        self._lock_wait_ms = lock_wait_ms

    async def GetStock(self, request: pb.GetStockRequest, context: Any) -> pb.Stock:
        """One balance."""
        sku = wire.clean(request.sku)
        return wire.stock_to_proto(*await self._database.aread(lambda connection: queries.get_stock(connection, sku)))

    async def ListMovements(self, request: pb.ListMovementsRequest, context: Any) -> pb.ListMovementsResponse:
        """Oldest first."""
        size = request.page_size if request.HasField("page_size") else _MOVEMENTS_A_PAGE
        sku = wire.clean(request.sku)
        movements, token = await self._database.aread(
            lambda connection: queries.list_movements(connection, sku, size, request.page_token)
        )
        return pb.ListMovementsResponse(
            movements=[wire.movement_to_proto(movement) for movement in movements],
            page_size=size,
            next_page_token=token,
        )

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, context: Any) -> pb.StockChange:
        """Goods came in."""
        return await self._change(wire.receipt_of(request), context)

    async def AdjustStock(self, request: pb.AdjustStockRequest, context: Any) -> pb.StockChange:
        """Counted again."""
        return await self._change(wire.adjustment_of(request), context)

    async def BatchReceiveStock(
        self, request: pb.BatchReceiveStockRequest, context: Any
    ) -> pb.BatchReceiveStockResponse:
        """Many receipts, all or none."""
        receipts = tuple(wire.receipt_of(each, f"receipts[{place}].") for place, each in enumerate(request.receipts))
        recorded: ChangesRecorded = await self._writer.submit(ChangeStock(receipts, *_by_whom()))
        new = len(recorded.changes) - recorded.repeated
        return pb.BatchReceiveStockResponse(received=new, repeated_receipts=recorded.repeated)

    async def ReserveStock(self, request: pb.ReserveStockRequest, context: Any) -> pb.Reservation:
        """Hold for a caller; whoever is at one of the SKUs already is waited for, but not long."""
        lines = wire.reservation_lines_of(request)
        hold = request.hold_seconds if request.HasField("hold_seconds") else self._reservation_seconds
        hold = min(hold, self._reservation_seconds)
        keys = [f"stock:{sku}" for sku in lines] + [f"reservation:{request.reservation_id.lower()}"]
        command = ReserveStock(request.reservation_id.lower(), lines, hold)
        return await self._behind_locks(keys, command)

    async def CommitReservation(self, request: pb.CommitReservationRequest, context: Any) -> pb.Reservation:
        """Sell what a caller holds."""
        id_ = request.reservation_id.lower()
        return await self._behind_locks([f"reservation:{id_}"], CommitReservation(id_))

    async def ReleaseReservation(self, request: pb.ReleaseReservationRequest, context: Any) -> pb.Reservation:
        """Give back what a caller holds."""
        id_ = request.reservation_id.lower()
        return await self._behind_locks([f"reservation:{id_}"], ReleaseReservation(id_))

    async def _behind_locks(self, keys: Sequence[str], command: object) -> pb.Reservation:
        async with self._lock.acquire_many(keys, wait_ms=self._lock_wait_ms):
            reservation: Reservation = await self._writer.submit(command)
        return wire.reservation_to_proto(reservation)

    async def _change(self, request: ChangeRequest, context: Any) -> pb.StockChange:
        recorded: ChangesRecorded = await self._writer.submit(ChangeStock((request,), *_by_whom()))
        if recorded.repeated:
            mark_replayed(context)
        return wire.change_to_proto(recorded.changes[0])


def _by_whom() -> tuple[str, str]:
    """Actor and trace of the call under way, for the audit."""
    return current.get().actor, tracing.current.get()
