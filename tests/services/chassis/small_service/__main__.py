"""Answers some RPCs of orders.v1 in ways that the tests ask for by customer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import Field

from chassis.envelope import Outgoing
from chassis.errors import NotFound
from chassis.outbox import tell
from chassis.run import App, Service, run
from chassis.settings import DatabaseUrl, ServiceSettings
from protos.orders.events.v1.events_pb2 import OrderFailed
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc


class SmallSettings(ServiceSettings):
    """What the small service can be told."""

    orders_database_url: DatabaseUrl = Field(repr=False, description="its database")


class SmallServicer(orders_pb2_grpc.OrderServiceServicer):
    """Placing an order tells one fact; listing takes as long as the customer's name says."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    async def CreateOrder(self, request: pb.CreateOrderRequest, context: Any) -> pb.Order:
        await self._writer.submit(request)
        return pb.Order(customer_id=request.customer_id)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.Order:
        raise NotFound(f"there is no order {request.order_id}")

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        name, _, seconds = request.customer_id.partition("-")
        if name == "slow":
            await asyncio.sleep(float(seconds))
        return pb.ListOrdersResponse()

    async def BatchCreateOrders(
        self, request: pb.BatchCreateOrdersRequest, context: Any
    ) -> AsyncIterator[pb.BatchCreateOrdersResponse]:
        yield pb.BatchCreateOrdersResponse()


def _place(connection: Any, requests: Any) -> list[None]:
    facts = [Outgoing("orders.events", request.customer_id, OrderFailed()) for request in requests]
    tell(connection, facts, "orders")
    return [None] * len(facts)


def build(app: App) -> None:
    """Put its parts together."""
    writer = app.writer({pb.CreateOrderRequest: _place})
    app.add_servicer(orders_pb2_grpc.add_OrderServiceServicer_to_server, SmallServicer(writer))  # type: ignore[abstract]


SERVICE = Service(
    context="orders", settings=SmallSettings, build=build, migrations=Path(__file__).parent / "migrations"
)

if __name__ == "__main__":
    sys.exit(run(SERVICE, sys.argv[1:]))
