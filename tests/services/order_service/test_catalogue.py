"""The one question to another context: asked of a real gRPC server, and answered with silence by none."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from chassis.access.service_token import ServiceToken
from chassis.errors import Unavailable
from order_service.adapters.catalogue import InventoryCatalogue
from order_service.domain import Product
from protos.inventory.v1 import inventory_pb2 as pb


class Shelves:
    """Knows every SKU but those that begin with N; answers nothing else."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.shown: list[str] = []

    async def BatchGetProducts(self, request: pb.BatchGetProductsRequest, context: Any) -> pb.BatchGetProductsResponse:
        self.asked.append(len(request.skus))
        self.shown += [value for name, value in context.invocation_metadata() if name == "authorization"]
        known = [sku for sku in request.skus if not sku.startswith("N")]
        products = [
            pb.Product(sku=sku, name="a lamp", price="19.99", currency="GBP", active=True, version=3) for sku in known
        ]
        return pb.BatchGetProductsResponse(products=products)


async def _serve(shelves: Shelves, address: str = "127.0.0.1:0") -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        shelves.BatchGetProducts,
        request_deserializer=pb.BatchGetProductsRequest.FromString,
        response_serializer=pb.BatchGetProductsResponse.SerializeToString,
    )
    service = pb.DESCRIPTOR.services_by_name["CatalogueService"].full_name
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"BatchGetProducts": method}),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


def test_those_that_exist_come_with_their_price_in_minor_units() -> None:
    async def run() -> None:
        server, port = await _serve(Shelves())
        catalogue = InventoryCatalogue(f"127.0.0.1:{port}")
        assert await catalogue.products(["LAMP", "NONE"]) == [Product("LAMP", "a lamp", 1999, "GBP", True, 3)]
        await catalogue.close()
        await server.stop(0)

    asyncio.run(run())


def test_inventory_is_shown_a_token_of_our_own_where_it_asks_who_calls() -> None:
    async def answer() -> Mapping[str, Any]:
        return {"access_token": "ours", "expires_in": 60}

    async def run() -> None:
        shelves = Shelves()
        server, port = await _serve(shelves)
        catalogue = InventoryCatalogue(f"127.0.0.1:{port}", token=ServiceToken(answer))
        await catalogue.products(["LAMP"])
        assert shelves.shown == ["Bearer ours"]
        await catalogue.close()
        await server.stop(0)

    asyncio.run(run())


def test_very_many_are_asked_for_in_pieces() -> None:
    async def run() -> None:
        shelves = Shelves()
        server, port = await _serve(shelves)
        catalogue = InventoryCatalogue(f"127.0.0.1:{port}")
        assert len(await catalogue.products([f"S{number}" for number in range(12_000)])) == 12_000
        assert shelves.asked == [5_000, 5_000, 2_000]
        await catalogue.close()
        await server.stop(0)

    asyncio.run(run())


def test_silence_is_told_as_such_and_ends_soon_after_inventory_is_back() -> None:
    async def run() -> None:
        server, port = await _serve(Shelves())
        await server.stop(0)
        catalogue = InventoryCatalogue(f"127.0.0.1:{port}")
        with pytest.raises(Unavailable):
            await catalogue.products(["LAMP"])
        server, _ = await _serve(Shelves(), f"127.0.0.1:{port}")
        async with asyncio.timeout(10):
            assert await _answered(catalogue)
        await catalogue.close()
        await server.stop(0)

    asyncio.run(run())


async def _answered(catalogue: InventoryCatalogue) -> list[Product]:
    while True:
        try:
            return await catalogue.products(["LAMP"])
        except Unavailable:
            await asyncio.to_thread(lambda: None)
