"""The inventory service as a process: its gRPC face, and the way from Kafka through the shelf and back to Kafka."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis
from kafka import KafkaConsumer

from chassis import clock, ids
from chassis.envelope import Outgoing, open_envelope, seal, type_of
from chassis.producer import Producer, Record
from chassis.topics import TopicSettings, create_missing_topics
from deploy.local import Infrastructure
from gateway.client import Client
from gateway.client.errors import CallFailed
from protos.inventory.events.v1 import events_pb2 as events
from protos.inventory.v1 import inventory_pb2 as pb
from protos.orders.events.v1.events_pb2 import OrderCompleted
from tests.databases import DatabaseUrls
from tests.services.inventory_service.warehouse import TRACE, placed
from tests.waiting import until

PROJECT = Path(__file__).resolve().parents[3]
_TYPES = {type_of(kind): kind for kind in (events.StockReserved, events.StockRejected, events.ProductChanged)}


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def settings(infrastructure: Infrastructure, database_urls: DatabaseUrls) -> dict[str, str]:
    """What the process is told."""
    create_missing_topics(TopicSettings(kafka_bootstrap_servers=infrastructure.kafka_bootstrap_servers))
    return {
        **os.environ,
        **infrastructure.environment,
        "INVENTORY_DATABASE_URL": database_urls.empty("inventory"),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "build" / "generated")]),
        "GRPC_PORT": _free_port(),
        "METRICS_PORT": _free_port(),
        "LOCK_WAIT_MS": "100",
        "SWEEP_SECONDS": "0.1",
        "LEDGER_CHECK_SECONDS": "0.1",
    }


@pytest.fixture(scope="module")
def client(settings: Mapping[str, str]) -> Iterator[Client]:
    """The service, running and asked."""
    with (
        subprocess.Popen([sys.executable, "-m", "inventory_service"], env=settings, cwd=PROJECT) as child,
        Client({"inventory": f"127.0.0.1:{settings['GRPC_PORT']}"}) as made,
    ):
        try:
            assert until(lambda: _answers(made), seconds=30)
            yield made
        finally:
            child.terminate()
            assert child.wait(30) == 0


def _answers(client: Client) -> bool:
    try:
        client.catalogue.ask(client.catalogue.rpc.ListProducts, pb.ListProductsRequest())
    except CallFailed:
        return False
    return True


def _stocked(client: Client, sku: str, pieces: int) -> str:
    product = pb.PutProductRequest(sku=sku, name="a thing", price="2.5", currency="GBP", supply=pb.SUPPLY_STOCK)
    client.catalogue.ask(client.catalogue.rpc.PutProduct, product)
    receipt = pb.ReceiveStockRequest(sku=sku, quantity=pieces, reason="opening stock", idempotency_key="opening")
    client.inventory.ask(client.inventory.rpc.ReceiveStock, receipt)
    return sku


def _stock(client: Client, sku: str) -> tuple[int, int, int]:
    stock = client.inventory.ask(client.inventory.rpc.GetStock, pb.GetStockRequest(sku=sku))
    return stock.on_hand, stock.reserved, stock.available


def _refused(client: Client, method: Any, request: Any) -> CallFailed:
    with pytest.raises(CallFailed) as refused:
        client.inventory.ask(method, request)
    return refused.value


def test_an_order_goes_from_kafka_over_the_shelf_back_to_kafka(client: Client, infrastructure: Infrastructure) -> None:
    sku, order = _stocked(client, "way", 5), ids.new_id()
    told = KafkaConsumer(
        "inventory.events", "inventory.products",
        bootstrap_servers=infrastructure.kafka_bootstrap_servers, auto_offset_reset="earliest", group_id=None,
    )  # fmt: skip
    producer = Producer(infrastructure.kafka_bootstrap_servers, "test")

    for fact in (placed(order, (sku, 2)), OrderCompleted(order_id=order)):
        outgoing = Outgoing("orders.events", order, fact, traceparent=TRACE)
        assert producer.send_round([Record("orders.events", order, seal(outgoing, "orders", clock.now()))]) == [True]

    found: dict[str, Any] = {}

    def look() -> bool:
        for batch in told.poll(timeout_ms=200).values():
            found.update({record.key.decode(): open_envelope(record.value, _TYPES) for record in batch})
        return order in found and sku in found

    assert until(look, seconds=30)
    assert isinstance(found[order].message, events.StockReserved)
    assert found[order].traceparent[:35] == TRACE[:35]
    assert found[sku].message.price_minor == 250
    assert until(lambda: _stock(client, sku) == (3, 0, 3))
    movements = client.inventory.ask(client.inventory.rpc.ListMovements, pb.ListMovementsRequest(sku=sku)).movements
    assert [(each.kind, each.order_id) for each in movements[1:]] == [
        (pb.MOVEMENT_KIND_RESERVATION, order),
        (pb.MOVEMENT_KIND_SALE, order),
    ]
    assert all(each.reason for each in movements)
    told.close()
    producer.close()


def test_a_repeated_receipt_says_that_it_is_one(client: Client) -> None:
    sku = _stocked(client, "again", 5)
    receipt = pb.ReceiveStockRequest(sku=sku, quantity=5, reason="opening stock", idempotency_key="opening")

    call: Any = client.inventory.rpc.ReceiveStock
    _, answer = call.with_call(receipt)

    assert ("idempotent-replayed", "true") in [tuple(pair) for pair in answer.trailing_metadata()]
    assert _stock(client, sku) == (5, 0, 5)


def test_a_reservation_is_made_repeated_and_sold(client: Client) -> None:
    sku, rpc = _stocked(client, "call", 5), client.inventory.rpc
    request = pb.ReserveStockRequest(
        reservation_id=ids.new_id(), lines=[pb.ReservationLine(sku=sku, quantity=2)], hold_seconds=86_400
    )

    first, again = (client.inventory.ask(rpc.ReserveStock, request) for _ in range(2))
    assert first == again
    assert first.status == pb.RESERVATION_STATUS_HELD
    assert first.expires_at.seconds - clock.now().timestamp() <= 600
    assert _stock(client, sku) == (5, 2, 3)

    sold = client.inventory.ask(
        rpc.CommitReservation, pb.CommitReservationRequest(reservation_id=request.reservation_id)
    )
    assert sold.status == pb.RESERVATION_STATUS_COMMITTED
    assert _stock(client, sku) == (3, 0, 3)


def test_a_reservation_that_is_forgotten_is_freed(client: Client) -> None:
    sku = _stocked(client, "forgotten", 1)
    line = pb.ReservationLine(sku=sku, quantity=1)
    request = pb.ReserveStockRequest(reservation_id=ids.new_id(), lines=[line], hold_seconds=1)

    client.inventory.ask(client.inventory.rpc.ReserveStock, request)

    assert _stock(client, sku) == (1, 1, 0)
    assert until(lambda: _stock(client, sku) == (1, 0, 1))


def test_who_is_at_the_same_sku_already_is_not_waited_for_long(client: Client, infrastructure: Infrastructure) -> None:
    sku = _stocked(client, "busy", 5)
    with redis.Redis.from_url(infrastructure.redis_url) as somebody:
        somebody.set(f"inventory:lock:stock:{sku}", "somebody", px=60_000)
        line = pb.ReservationLine(sku=sku, quantity=1)
        request = pb.ReserveStockRequest(reservation_id=ids.new_id(), lines=[line])

        refused = _refused(client, client.inventory.rpc.ReserveStock, request)

        assert (refused.code, refused.status) == ("lock_conflict", grpc.StatusCode.ABORTED.name)
        somebody.delete(f"inventory:lock:stock:{sku}")
    assert client.inventory.ask(client.inventory.rpc.ReserveStock, request).status == pb.RESERVATION_STATUS_HELD


def test_refusals_carry_their_details(client: Client) -> None:
    sku, rpc = _stocked(client, "short", 3), client.inventory.rpc
    line = pb.ReservationLine(sku=sku, quantity=4)

    short = _refused(client, rpc.ReserveStock, pb.ReserveStockRequest(reservation_id=ids.new_id(), lines=[line]))
    assert (short.code, short.status) == ("insufficient_stock", "ABORTED")
    assert pb.InsufficientStock(shortages=[pb.Shortage(sku=sku, requested=4, available=3)]) in short.details

    holder = ids.new_id()
    line.quantity = 2
    client.inventory.ask(rpc.ReserveStock, pb.ReserveStockRequest(reservation_id=holder, lines=[line]))
    adjustment = pb.AdjustStockRequest(sku=sku, quantity_delta=-2, idempotency_key="k")
    reserved = _refused(client, rpc.AdjustStock, adjustment)
    assert (reserved.code, reserved.status) == ("stock_reserved", "ABORTED")
    assert pb.StockHolders(order_ids=[holder]) in reserved.details


def test_many_products_and_receipts_come_in_one_call_and_a_repeat_adds_nothing(client: Client) -> None:
    products = [
        pb.PutProductRequest(sku=f"many-{n}", name=f"thing {n}", price="1.00", currency="GBP", supply=pb.SUPPLY_STOCK)
        for n in range(1_000)
    ]
    receipts = [
        pb.ReceiveStockRequest(sku=each.sku, quantity=n + 1, reason="from orders", idempotency_key="file")
        for n, each in enumerate(products)
    ]

    catalogue, inventory = client.catalogue, client.inventory
    catalogue.ask(catalogue.rpc.BatchPutProducts, pb.BatchPutProductsRequest(products=products))
    request = pb.BatchReceiveStockRequest(receipts=receipts)
    first, again = (inventory.ask(inventory.rpc.BatchReceiveStock, request) for _ in range(2))

    assert (first.received, first.repeated_receipts) == (1_000, 0)
    assert (again.received, again.repeated_receipts) == (0, 1_000)
    skus = [" many-7 ", "nowhere"]
    found = catalogue.ask(catalogue.rpc.BatchGetProducts, pb.BatchGetProductsRequest(skus=skus)).products
    assert [product.sku for product in found] == ["many-7"]


def test_the_metrics_say_that_the_ledger_adds_up(client: Client, settings: Mapping[str, str]) -> None:
    _stocked(client, "metered", 1)

    def metrics() -> str:
        with socket.create_connection(("127.0.0.1", int(settings["METRICS_PORT"]))) as page:
            page.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: page.recv(65_536), b"")).decode()

    assert until(lambda: "inventory_ledger_difference_pieces 0.0" in metrics())
    assert 'inventory_reservations_total{outcome="reserved"}' in metrics()
