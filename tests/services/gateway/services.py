"""The services' gRPC ports as the gateway sees them: each method answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from chassis.errors import Refusal
from chassis.status import code_of, status_of, trailers_of
from gateway.rest.channels import class_of
from gateway.rest.descriptors import load_descriptors
from protos.orders.v1 import orders_pb2

Behaviour = Callable[[Any, Any], Any]
"""(request, servicer context) → a response, or an asynchronous iterator of responses."""


class FakeService(grpc.GenericRpcHandler):
    """One context's port; `on` says what a method does, a method of which nothing was said is UNIMPLEMENTED."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.health = health.HealthServicer()
        self._behaviours: dict[str, Behaviour] = {}
        self._methods = {
            f"/{service.full_name}/{method.name}": method
            for service in load_descriptors().services
            for method in service.methods
        }
        self._server: Any = None

    def on(self, method: str, behaviour: Behaviour) -> None:
        """`method` as `/orders.v1.OrderService/GetOrder`."""
        self._behaviours[method] = behaviour

    def forget(self) -> None:
        """Behaviours and what was asked."""
        self._behaviours.clear()
        self.asked.clear()
        self.metadata.clear()

    async def start(self, port: int = 0) -> int:
        """Starts to serve; the port."""
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        bound: int = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()
        for name in ("", "database", "kafka", "redis"):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def stop(self) -> None:
        """Goes away at once."""
        await self._server.stop(0)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """How grpc finds the handler of a method."""
        behaviour = self._behaviours.get(details.method)
        if behaviour is None:
            return None
        method = self._methods[details.method]
        coded: dict[str, Any] = {
            "request_deserializer": class_of(method.input_type).FromString,
            "response_serializer": class_of(method.output_type).SerializeToString,
        }
        if method.client_streaming and method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(self._streaming(behaviour), **coded)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(self._taking_stream(behaviour), **coded)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming(behaviour), **coded)
        return grpc.unary_unary_rpc_method_handler(self._answering(behaviour), **coded)

    def _note(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        self.metadata.append(dict(context.invocation_metadata()))

    def _answering(self, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Message, context: Any) -> Any:
            self._note(request, context)
            response = behaviour(request, context)
            return await response if asyncio.iscoroutine(response) else response

        return answer

    def _streaming(self, behaviour: Behaviour) -> Behaviour:
        async def stream(request: Message, context: Any) -> AsyncIterator[Any]:
            self._note(request, context)
            async for response in behaviour(request, context):
                yield response

        return stream

    def _taking_stream(self, behaviour: Behaviour) -> Behaviour:
        async def take(requests: AsyncIterator[Any], context: Any) -> Any:
            self._note(None, context)
            return await behaviour(requests, context)

        return take


async def refuse(context: Any, refusal: Refusal) -> None:
    """Ends the call as the services' interceptor does."""
    status = status_of(refusal, "fake")
    await context.abort(code_of(status), status.message, trailers_of(status))


def an_order(**fields: Any) -> orders_pb2.Order:
    """An order with what every order has."""
    moment = {"seconds": 1_769_860_800, "nanos": 250_000_000}
    usual: dict[str, Any] = {
        "id": "0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11", "customer_id": "c-17", "status": "ORDER_STATUS_PENDING",
        "payment_status": "PAYMENT_STATUS_NONE", "total_amount": "5.10", "refunded_amount": "0.00", "currency": "GBP",
        "idempotency_key": "cart-991", "stock_policy": "STOCK_POLICY_REJECT", "payment_method": "sim_ok",
        "items": [{"sku": "85123A", "name": "HEART", "quantity": 2, "unit_price": "2.55", "line_total": "5.10"}],
        "placed_at": moment, "created_at": moment, "updated_at": moment, "version": 1,
    }  # fmt: skip
    return orders_pb2.Order(**(usual | fields))


def stored(index: int, **more: Any) -> orders_pb2.BatchCreateOrdersResult:
    """The first word on an entry: it is stored."""
    return orders_pb2.BatchCreateOrdersResult(index=index, order=an_order(), **more)


def decided(index: int, **more: Any) -> orders_pb2.BatchCreateOrdersResult:
    """The last word on an entry: its stock is held."""
    order = an_order(status="ORDER_STATUS_RESERVED", version=2)
    return orders_pb2.BatchCreateOrdersResult(index=index, order=order, final=True, held=True, **more)


def answered(*results: orders_pb2.BatchCreateOrdersResult) -> orders_pb2.BatchCreateOrdersResponse:
    """One message of the stream."""
    return orders_pb2.BatchCreateOrdersResponse(results=results)


async def take_orders(request: Any, context: Any) -> AsyncIterator[Any]:
    """Takes every order, and decides it where it waits."""
    entries = list(enumerate(request.entries))
    waits = {index for index, entry in entries if entry.request.wait_ms or not entry.request.HasField("wait_ms")}
    yield answered(*(stored(index, final=index not in waits) for index, _ in entries))
    if waits:
        yield answered(*(decided(index) for index in sorted(waits)))
