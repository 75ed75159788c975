"""The supplier service as it is run: healthy, asked over gRPC, and stopped in order."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from chassis import ids
from chassis.webhooks import WebhookSecret
from deploy.local import Infrastructure
from protos.suppliers.v1 import suppliers_pb2 as pb
from protos.suppliers.v1.suppliers_pb2_grpc import SupplierServiceStub
from supplier_service.simulator.webhooks import delivered
from tests.services.supplier_service.desk import Desk, goods_requested
from tests.waiting import until

_ROOT: Final = Path(__file__).parents[3]


@pytest.fixture
def channel(infrastructure: Infrastructure, urls: dict[str, str]) -> Iterator[grpc.Channel]:
    """A channel to a supplier service that only answers: what a desk tells beside it stays where the desk looks."""
    with a_service(infrastructure, roles="api") as opened:
        yield opened


@pytest.fixture
def everything(infrastructure: Infrastructure, urls: dict[str, str]) -> Iterator[grpc.Channel]:
    """A channel to a supplier service in all its roles."""
    with a_service(infrastructure, roles="api,worker,relay,jobs") as opened:
        yield opened


@contextmanager
def a_service(infrastructure: Infrastructure, roles: str) -> Iterator[grpc.Channel]:
    process = subprocess.Popen(
        [sys.executable, "-m", "supplier_service"],
        cwd=_ROOT,
        env=os.environ | infrastructure.environment | {"SUPPLIER_CHECK_SECONDS": "3600", "ROLES": roles},
        stdout=subprocess.DEVNULL,
    )
    with grpc.insecure_channel(infrastructure.place.address("suppliers")) as opened:
        yield opened
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_supplier_orders_are_shown_in_pages_of_fifteen(desk: Desk, channel: grpc.Channel) -> None:
    order, other = ids.new_id(), ids.new_id()
    desk.hear(*(goods_requested(order, f"SKU-{number}") for number in range(16)), goods_requested(other))
    stub = SupplierServiceStub(channel)

    page = stub.ListSupplierOrders(pb.ListSupplierOrdersRequest(order_id=order), timeout=15, wait_for_ready=True)
    rest = stub.ListSupplierOrders(
        pb.ListSupplierOrdersRequest(order_id=order, page_token=page.next_page_token), timeout=5
    )
    one = stub.GetSupplierOrder(pb.GetSupplierOrderRequest(supplier_order_id=page.supplier_orders[0].id), timeout=5)

    assert (len(page.supplier_orders), page.page_size, len(rest.supplier_orders)) == (15, 15, 1)
    assert rest.next_page_token == ""
    assert {each.order_id for each in page.supplier_orders} == {order}
    assert (one.sku, one.quantity, one.supplier) == (page.supplier_orders[0].sku, 3, "acme")


def test_what_does_not_exist_or_makes_no_sense_is_refused(channel: grpc.Channel) -> None:
    stub = SupplierServiceStub(channel)
    with pytest.raises(grpc.RpcError) as unknown:
        stub.GetSupplierOrder(
            pb.GetSupplierOrderRequest(supplier_order_id=ids.new_id()), timeout=15, wait_for_ready=True
        )
    with pytest.raises(grpc.RpcError) as senseless:
        stub.ListSupplierOrders(pb.ListSupplierOrdersRequest(page_token="page two"), timeout=5)

    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert senseless.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_signed_message_is_let_in_and_nothing_else(
    desk: Desk, infrastructure: Infrastructure, channel: grpc.Channel
) -> None:
    order = ids.new_id()
    desk.hear(goods_requested(order))
    assert until(lambda: desk.told(order)[-1:] == ["Delivered"])
    stub, secret = SupplierServiceStub(channel), WebhookSecret(infrastructure.environment["SUPPLIER_WEBHOOK_SECRET"])

    def code_of(body: bytes, *, supplier: str = "acme", signed: WebhookSecret = secret) -> grpc.StatusCode | None:
        timestamp, signature = signed.signed_now(body)
        request = pb.ReceiveWebhookRequest(
            supplier=supplier, message=HttpBody(data=body), timestamp=timestamp, signature=signature
        )
        try:
            stub.ReceiveWebhook(request, timeout=15, wait_for_ready=True)
        except grpc.RpcError as refused:
            code: grpc.StatusCode = refused.code()
            return code
        return None

    known = delivered(desk.reference(order))
    assert [code_of(known), code_of(known)] == [None, None]
    assert code_of(known, signed=WebhookSecret("another secret of some length")) is grpc.StatusCode.UNAUTHENTICATED
    assert code_of(known, supplier="bolt") is grpc.StatusCode.NOT_FOUND
    assert code_of(delivered(ids.new_id())) is grpc.StatusCode.NOT_FOUND
    assert code_of(b"not json") is grpc.StatusCode.INVALID_ARGUMENT
    assert desk.told(order).count("Delivered") == 1


def test_a_simulated_supplier_tells_by_webhook_what_no_check_would_find_so_soon(
    a_desk: Callable[..., Desk], everything: grpc.Channel
) -> None:
    # The process takes the request over from an instance that does not call; its checks come after an hour.
    idle, order = a_desk(is_open=False), ids.new_id()

    idle.hear(goods_requested(order, scenario="webhook_ok:1"))

    assert until(lambda: idle.statuses(order) == {"85123A": "DELIVERED"}, seconds=60)
    assert idle.entries() == [("delivered", 1, 0)]


def test_the_service_says_that_it_serves(everything: grpc.Channel) -> None:
    health: Any = HealthStub(everything)

    def is_serving() -> bool:
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=15, wait_for_ready=True)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    assert until(is_serving)
