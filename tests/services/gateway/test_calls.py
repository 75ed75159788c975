"""Methods that are asked once: what becomes of paths, queries, answers and refusals."""

import asyncio
from typing import Any

import httpx
import pytest

from chassis.errors import NotFound, Refusal
from chassis.server import mark_accepted, mark_replayed
from protos.inventory.v1 import inventory_pb2
from protos.orders.v1 import orders_pb2, reports_pb2
from protos.payments.v1 import payments_pb2
from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import an_order, refuse
from tests.waiting import until

GET = "/orders.v1.OrderService/GetOrder"
LIST = "/orders.v1.OrderService/ListOrders"
CANCEL = "/orders.v1.OrderService/CancelOrder"
PAYMENTS = "/payments.v1.PaymentService/ListPayments"


class RateLimited(Refusal):
    code = "too_many_requests"
    status = "RESOURCE_EXHAUSTED"


def a_stock(request: object, context: object) -> inventory_pb2.Stock:
    return inventory_pb2.Stock(sku="A/B", on_hand=3, available=3)


def test_a_path_variable_reaches_its_field_decoded(client: httpx.Client, stage: Stage) -> None:
    stage.services["inventory"].on("/inventory.v1.InventoryService/GetStock", a_stock)

    answer = client.get("/inventory/A%2FB%20%C3%A9")

    assert answer.json() == {"data": {"sku": "A/B", "on_hand": 3, "reserved": 0, "available": 3}}
    assert stage.services["inventory"].asked[-1].sku == "A/B é"


def test_the_current_version_is_served_without_its_number_too(client: httpx.Client, stage: Stage) -> None:
    stage.services["inventory"].on("/inventory.v1.InventoryService/GetStock", a_stock)

    assert httpx.get(f"http://127.0.0.1:{stage.port}/api/inventory/A").status_code == 200


def test_query_parameters_reach_their_fields(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(LIST, lambda request, context: orders_pb2.ListOrdersResponse())

    client.get("/orders?customer_id=c%20&status=RESERVED&placed_after=2010-12-01T00:00:00.5%2B01:00&page_size=3")

    asked = stage.orders.asked[-1]
    assert (asked.customer_id, asked.status, asked.page_size) == ("c", orders_pb2.ORDER_STATUS_RESERVED, 3)
    assert asked.placed_after.ToJsonString() == "2010-11-30T23:00:00.500Z"


def test_a_list_tells_its_page(client: httpx.Client, stage: Stage) -> None:
    page = orders_pb2.ListOrdersResponse(orders=[an_order(), an_order()], page_size=15, next_page_token="more")
    stage.orders.on(LIST, lambda request, context: page)

    answer = client.get("/orders").json()

    assert len(answer["data"]) == 2
    assert answer["meta"] == {"page_size": 15, "next_page_token": "more"}


def test_the_last_page_has_no_next_one(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(LIST, lambda request, context: orders_pb2.ListOrdersResponse(page_size=15))

    assert client.get("/orders").json() == {"data": [], "meta": {"page_size": 15, "next_page_token": None}}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=NOPE", "status"), ("page_size=1.5", "page_size"), ("page_size=", "page_size"), ("sort=up", "sort"),
        ("page_size=99999999999", "page_size"), ("page_size=1&page_size=2", "page_size"),
        ("placed_after=yesterday", "placed_after"), ("placed_after=2010-02-30T00:00:00Z", "placed_after"),
    ],
)  # fmt: skip
def test_a_bad_query_is_refused_by_name(client: httpx.Client, query: str, field: str) -> None:
    answer = client.get(f"/orders?{query}")

    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])


def test_a_query_that_is_no_text_is_malformed(client: httpx.Client) -> None:
    assert client.get("/orders?customer_id=%ff").status_code == 400


def test_an_unchanged_order_is_not_sent_again(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: an_order(version=7))
    shown = client.get("/orders/x")

    again = client.get("/orders/x", headers={"If-None-Match": f'"3", W/{shown.headers["etag"]}'})

    assert shown.headers["etag"] == '"7"'
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"7"')
    assert client.get("/orders/x", headers={"If-None-Match": '"6"'}).status_code == 200


def test_trace_and_token_travel_beside_the_message(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: an_order())

    answer = client.get("/orders/x", headers={"Authorization": "Bearer abc"})

    told = stage.orders.metadata[-1]
    assert told["authorization"] == "Bearer abc"
    assert told["traceparent"].split("-")[1] == answer.headers["x-trace-id"]


@pytest.mark.parametrize("token", [b"Bearer \xe9", b"Bearer \xc3\xa9", b"Bearer a\tb"])
def test_a_token_that_cannot_be_one_is_a_401(client: httpx.Client, token: bytes) -> None:
    answer = client.get("/orders/x", headers=[(b"Authorization", token)])

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_refusal_keeps_its_name(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: refuse(context, NotFound("No such order.")))

    answer = client.get("/orders/x")

    assert answer.status_code == 404
    assert (answer.json()["error_code"], answer.json()["message"]) == ("not_found", "No such order.")
    assert answer.json()["trace_id"] == answer.headers["x-trace-id"]


def test_a_caller_over_the_limit_learns_when_to_come_back(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: refuse(context, RateLimited("Too many.", retry_after=2.1)))

    answer = client.get("/orders/x")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_a_bug_of_a_service_says_nothing_of_the_inside(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: 1 / 0)

    answer = client.get("/orders/x")

    assert (answer.status_code, answer.json()["error_code"]) == (500, "internal")
    assert "division" not in answer.text


def test_a_method_that_a_service_does_not_have_yet_is_not_found(client: httpx.Client) -> None:
    assert client.get("/orders/x").status_code == 404


def test_a_service_that_does_not_answer_in_time_is_a_504(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: asyncio.Event().wait())

    answer = client.get("/orders/x")

    assert (answer.status_code, answer.json()["error_code"]) == (504, "deadline_exceeded")


def test_a_cancel_that_is_under_way_is_a_202(client: httpx.Client, stage: Stage) -> None:
    def cancel(request: object, context: Any) -> orders_pb2.Order:
        mark_accepted(context)
        return an_order(status="ORDER_STATUS_CANCELLING")

    stage.orders.on(CANCEL, cancel)
    answer = client.post("/orders/x/cancel", json={"reason": "changed my mind"})

    assert (answer.status_code, answer.json()["data"]["status"]) == (202, "CANCELLING")
    assert stage.orders.asked[-1].reason == "changed my mind"


def test_a_body_that_is_all_optional_may_be_absent(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(CANCEL, lambda request, context: an_order())

    assert client.post("/orders/x/cancel").status_code == 200
    assert stage.orders.asked[-1].order_id == "x"


def test_what_stands_in_path_and_body_must_be_the_same(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(CANCEL, lambda request, context: an_order())

    assert client.post("/orders/x/cancel", json={"order_id": "x"}).status_code == 200
    assert list(client.post("/orders/x/cancel", json={"order_id": "y"}).json()["errors"]) == ["order_id"]


def test_a_receipt_is_a_201_and_its_repeat_a_200(client: httpx.Client, stage: Stage) -> None:
    seen: list[object] = []

    def receive(request: object, context: Any) -> inventory_pb2.StockChange:
        if seen:
            mark_replayed(context)
        seen.append(request)
        return inventory_pb2.StockChange(id="r-1", stock=inventory_pb2.Stock(sku="A", on_hand=5))

    stage.services["inventory"].on("/inventory.v1.InventoryService/ReceiveStock", receive)
    first, second = (
        client.post("/products/A/receipts", json={"quantity": 5}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.json()["data"]["stock"]["on_hand"] == 5


def test_a_product_is_put_without_its_sku_in_the_body(client: httpx.Client, stage: Stage) -> None:
    product = inventory_pb2.Product(sku="A", supply=inventory_pb2.SUPPLY_STOCK)
    stage.services["inventory"].on("/inventory.v1.CatalogueService/PutProduct", lambda request, context: product)

    answer = client.put("/products/A", json={"name": "n", "price": "1.00", "currency": "GBP", "supply": "STOCK"})

    assert (answer.status_code, answer.json()["data"]["supply"]) == (200, "STOCK")
    assert list(client.put("/products/A", json={"name": "n"}).json()["errors"]) == ["currency", "price", "supply"]


def test_a_field_that_is_a_word_of_python_is_a_field_like_others(client: httpx.Client, stage: Stage) -> None:
    def kpis(request: object, context: object) -> reports_pb2.Kpis:
        days: dict[str, Any] = {"from": "2010-12-01", "to": "2010-12-31"}
        return reports_pb2.Kpis(**days)

    stage.orders.on("/orders.v1.ReportService/GetRangeKpis", kpis)

    answer = client.get("/kpis/range?from=2010-12-01&to=2010-12-31").json()

    assert (answer["data"]["from"], answer["data"]["to"]) == ("2010-12-01", "2010-12-31")


def test_a_reader_does_not_notice_a_restart_of_the_service(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: an_order())
    assert client.get("/orders/x").status_code == 200
    stage.run(stage.orders.stop())
    stage.run(stage.orders.start(stage.ports["orders"]))

    assert client.get("/orders/x").status_code == 200


def test_a_service_that_is_away_is_a_503(client: httpx.Client, stage: Stage) -> None:
    stage.run(stage.orders.stop())
    try:
        answer = client.get("/orders/x")
    finally:
        stage.run(stage.orders.start(stage.ports["orders"]))

    assert (answer.status_code, answer.json()["error_code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers
    stage.orders.on(GET, lambda request, context: an_order())
    assert until(lambda: client.get("/orders/x").status_code == 200, seconds=5)


def test_payments_of_an_order_that_nobody_knows_are_not_found(client: httpx.Client, stage: Stage) -> None:
    """Payments cannot tell an order without one from an order that does not exist."""

    async def unknown(request: object, context: Any) -> None:
        await refuse(context, NotFound("there is no such order"))

    stage.orders.on(GET, unknown)
    stage.services["payments"].on(PAYMENTS, lambda request, context: payments_pb2.ListPaymentsResponse())

    answer = client.get("/orders/o-1/payments")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")
    assert stage.services["payments"].asked == []


def test_an_order_without_payments_has_an_empty_list_of_them(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on(GET, lambda request, context: an_order())
    stage.services["payments"].on(PAYMENTS, lambda request, context: payments_pb2.ListPaymentsResponse())

    answer = client.get("/orders/o-1/payments")

    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert [asked.order_id for asked in (stage.orders.asked[-1], stage.services["payments"].asked[-1])] == ["o-1"] * 2
