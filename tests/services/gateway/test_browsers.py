"""What browsers and caches are told: compression, conditional requests, and pages of other origins."""

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2

from gateway.settings import GatewaySettings
from protos.inventory.v1 import inventory_pb2
from protos.orders.v1 import orders_pb2
from tests.services.gateway.conftest import Stage, serving
from tests.services.gateway.services import an_order, take_orders

GET = "/orders.v1.OrderService/GetOrder"
LIST = "/orders.v1.OrderService/ListOrders"
SHOP = "https://shop.example"


def many(request: Any, context: Any) -> orders_pb2.ListOrdersResponse:
    return orders_pb2.ListOrdersResponse(orders=[an_order()] * 15, page_size=15)


def one(request: Any, context: Any) -> orders_pb2.Order:
    return an_order()


def raw(client: httpx.Client, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer with the bytes as they came."""
    with client.stream(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    ) as answer:
        return answer, b"".join(answer.iter_raw())


def test_a_list_is_compressed_for_who_takes_gzip(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(LIST, many)
    plain, whole = raw(client, "/orders", accept_encoding="identity")
    packed, body = raw(client, "/orders", accept_encoding="br, gzip;q=0.5")

    assert (packed.headers["content-encoding"], int(packed.headers["content-length"])) == ("gzip", len(body))
    assert gzip.decompress(body) == whole
    assert len(body) < len(whole) / 4
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("taken", ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "gzipped", "*;q=0"])
def test_who_does_not_take_gzip_is_not_sent_any(client: httpx.Client, stage: Stage, taken: str) -> None:
    stage.orders.on(LIST, many)
    answer, _ = raw(client, "/orders", accept_encoding=taken)

    assert "content-encoding" not in answer.headers


def test_what_a_client_says_at_length_of_what_it_takes_is_not_remembered(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(LIST, many)
    answer, _ = raw(client, "/orders", accept_encoding="gzip, " + 200 * "x")

    assert "content-encoding" not in answer.headers


def test_what_is_small_or_was_posted_is_left_as_it_is(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, one)
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", take_orders)
    small = client.get("/orders/x")
    note = {"metadata": {f"note-{number}": "x" * 200 for number in range(40)}}
    body = {"customer_id": "c", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}
    posted = client.post("/orders", json=body | note)

    assert (posted.status_code, small.status_code) == (201, 200)
    assert "content-encoding" not in small.headers
    assert "content-encoding" not in posted.headers


def test_a_file_is_compressed_piece_by_piece(client: httpx.Client, stage: Stage) -> None:
    async def pieces(request: Any, context: Any) -> Any:
        for number in range(3):
            yield httpbody_pb2.HttpBody(content_type="text/csv; charset=utf-8", data=b"line %d\r\n" % number)

    stage.orders.on("/orders.v1.OrderService/ExportOrders", pieces)
    packed, body = raw(client, "/orders.csv", accept_encoding="gzip")

    assert gzip.decompress(body) == b"line 0\r\nline 1\r\nline 2\r\n"
    assert packed.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert client.get("/orders.csv", headers={"accept-encoding": "identity"}).text.endswith("line 2\r\n")


def test_what_one_has_is_not_sent_again_compressed_or_not(client: httpx.Client, stage: Stage) -> None:
    long = {f"note-{number}": "x" * 200 for number in range(40)}
    stage.orders.on(GET, lambda request, context: an_order(version=7, metadata=long))
    packed = client.get("/orders/x", headers={"accept-encoding": "gzip"})
    plain = client.get("/orders/x", headers={"accept-encoding": "identity"})

    assert (packed.headers["etag"], plain.headers["etag"]) == ('W/"7"', '"7"')
    assert packed.json() == plain.json()
    for tag in (packed.headers["etag"], plain.headers["etag"], '"1", W/"7"', "*"):
        again = client.get("/orders/x", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "private, no-cache"
    assert client.get("/orders/x", headers={"if-none-match": '"6"'}).status_code == 200


def test_a_product_is_tagged_by_its_version_too(client: httpx.Client, stage: Stage) -> None:
    product = inventory_pb2.Product(sku="A", version=3)
    stage.services["inventory"].on("/inventory.v1.CatalogueService/GetProduct", lambda request, context: product)

    assert client.get("/products/A").headers["etag"] == '"3"'
    assert client.get("/products/A", headers={"if-none-match": '"3"'}).status_code == 304


@pytest.fixture
def open_to_a_shop(stage: Stage) -> Iterator[httpx.Client]:
    addresses: dict[str, Any] = {f"{name}_address": f"127.0.0.1:{port}" for name, port in stage.ports.items()}
    gateway = serving(GatewaySettings(cors_origins=f"{SHOP}, http://localhost:3000", **addresses))
    port = stage.run(gateway.__aenter__())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=15) as made:
        yield made
    stage.run(gateway.__aexit__(None, None, None))


def test_a_page_of_a_named_origin_may_call_and_read_what_is_told(open_to_a_shop: httpx.Client) -> None:
    asked = {"origin": SHOP, "access-control-request-method": "POST"}
    before = open_to_a_shop.options("/orders", headers=asked | {"access-control-request-headers": "idempotency-key"})
    answer = open_to_a_shop.get("/health/live", headers={"origin": SHOP})

    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, SHOP)
    assert "POST" in before.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "x-trace-id" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_of_another_origin_may_not(open_to_a_shop: httpx.Client) -> None:
    other = {"origin": "https://shop.example.evil", "access-control-request-method": "POST"}

    assert open_to_a_shop.options("/orders", headers=other).status_code == 400
    assert "access-control-allow-origin" not in open_to_a_shop.get("/health/live", headers=other).headers


def test_nobody_may_where_nothing_is_set(client: httpx.Client) -> None:
    asked = {"origin": SHOP, "access-control-request-method": "POST"}

    assert not [name for name in client.options("/orders", headers=asked).headers if name.startswith("access-control")]


@pytest.mark.parametrize("origins", ["shop.example", "https://shop.example/path", "https://a.example b", "null"])
def test_what_is_no_origin_is_refused_at_start(origins: str) -> None:
    with pytest.raises(ValueError, match="must be origins"):
        GatewaySettings(cors_origins=origins)
