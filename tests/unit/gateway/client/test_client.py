"""Where services are found, and what a failed call tells."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.client import CallFailed, Client
from gateway.client.client import addresses
from gateway.rest.descriptors import load_descriptors
from protos.orders.v1 import orders_pb2 as pb


class Refusing(grpc.GenericRpcHandler):
    """Refuses everything with what a test has laid out."""

    def __init__(self) -> None:
        self.status: status_pb2.Status | None = None
        self.code = grpc.StatusCode.UNKNOWN

    def service(self, _: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    def _refuse(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        if self.status is not None:
            context.abort_with_status(rpc_status.to_status(self.status))
        context.abort(self.code, "as laid out")
        raise AssertionError("abort raises")


@pytest.fixture
def refusing() -> Iterator[tuple[Refusing, Client]]:
    servicer = Refusing()
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((servicer,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client({"orders": f"127.0.0.1:{port}"}) as client:
        yield servicer, client
    server.stop(None).wait()


class Listing(grpc.GenericRpcHandler):
    """Three pages of a customer's orders."""

    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def service(
        self, _: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[pb.ListOrdersRequest, pb.ListOrdersResponse]":
        return grpc.unary_unary_rpc_method_handler(
            self._list, pb.ListOrdersRequest.FromString, pb.ListOrdersResponse.SerializeToString
        )

    def _list(self, request: pb.ListOrdersRequest, _: grpc.ServicerContext) -> pb.ListOrdersResponse:
        assert request.customer_id == "me"
        self._asked.append(request.page_token)
        return pb.ListOrdersResponse(next_page_token={"": "2", "2": "3", "3": ""}[request.page_token])


@pytest.fixture
def listing() -> Iterator[tuple[list[str], Client]]:
    asked: list[str] = []
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Listing(asked),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client({"orders": f"127.0.0.1:{port}"}) as client:
        yield asked, client
    server.stop(None).wait()


def failure_of(client: Client) -> CallFailed:
    orders = client.orders
    with pytest.raises(CallFailed) as failed:
        orders.ask(orders.rpc.GetOrder, pb.GetOrderRequest(order_id="1"))
    return failed.value


def test_services_are_found_at_their_ports_plus_the_offset() -> None:
    assert addresses({}) == {
        "orders": "127.0.0.1:50051", "inventory": "127.0.0.1:50052",
        "suppliers": "127.0.0.1:50053", "payments": "127.0.0.1:50054",
    }  # fmt: skip
    found = addresses({"PORT_OFFSET": "100", "PAYMENTS_ADDRESS": "payments:1"})
    assert (found["orders"], found["payments"]) == ("127.0.0.1:50151", "payments:1")


def test_every_service_of_the_protos_can_be_called() -> None:
    with Client(addresses({})) as client:
        services: list[Any] = [
            client.orders, client.imports, client.reports, client.privacy, client.stuck_orders, client.catalogue,
            client.inventory, client.payments, client.suppliers, client.operations("payments"),
        ]  # fmt: skip
        stubs = {type(service.rpc).__name__: set(vars(service.rpc)) for service in services}

    for service in load_descriptors().services:
        assert stubs[f"{service.name}Stub"] == {method.name for method in service.methods}, service.full_name


def test_pages_are_turned_until_the_last(listing: tuple[list[str], Client]) -> None:
    asked, client = listing
    orders = client.orders

    pages = orders.pages(orders.rpc.ListOrders, pb.ListOrdersRequest(customer_id="me"))

    assert next(pages).next_page_token == "2"
    assert asked == [""], "the next page is asked for when it is wanted"
    assert [page.next_page_token for page in pages] == ["3", ""]
    assert asked == ["", "2", "3"]


def test_an_offset_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        addresses({"PORT_OFFSET": "many"})


def test_a_refusal_is_told_with_reason_fields_and_typed_details(refusing: tuple[Refusing, Client]) -> None:
    servicer, client = refusing
    status = status_pb2.Status(code=code_pb2.ABORTED, message="stock does not suffice")
    shortage = pb.InsufficientStock(order_id="1", shortages=[pb.Shortage(sku="A", requested=2, available=1)])
    violation = error_details_pb2.BadRequest.FieldViolation(field="items[0].sku", description="is short")
    for detail in (
        error_details_pb2.ErrorInfo(reason="insufficient_stock", domain="orders"),
        error_details_pb2.BadRequest(field_violations=[violation]),
        shortage,
    ):
        status.details.add().Pack(detail)
    status.details.add(type_url="type.googleapis.com/of.a.later.Release", value=b"")
    servicer.status = status
    failed = failure_of(client)
    assert (failed.code, failed.status) == ("insufficient_stock", "ABORTED")
    assert str(failed) == "stock does not suffice (items[0].sku: is short)"
    assert shortage in failed.details
    assert not failed.may_come_back


@pytest.mark.parametrize(
    ("code", "may_come_back"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, True),
        (grpc.StatusCode.UNIMPLEMENTED, False),
        (grpc.StatusCode.INTERNAL, False),
    ],
)
def test_a_failure_of_the_transport_names_the_service(
    refusing: tuple[Refusing, Client], code: grpc.StatusCode, may_come_back: bool
) -> None:
    servicer, client = refusing
    servicer.code = code
    failed = failure_of(client)
    assert failed.message.startswith("the orders service at 127.0.0.1:")
    assert (failed.code, failed.may_come_back) == (code.name.lower(), may_come_back)
