"""`POST /orders`, from the request's JSON to the batch and back."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from chassis.errors import Refusal, ValidationFailed
from chassis.status import status_of
from protos.orders.v1 import orders_pb2
from tests.services.gateway.conftest import Place, Stage
from tests.services.gateway.services import answered, decided, stored, take_orders

BATCH = "/orders.v1.OrderService/BatchCreateOrders"


class OutOfStock(Refusal):
    code = "insufficient_stock"
    status = "ABORTED"


@pytest.fixture(autouse=True)
def orders_are_taken(stage: Stage) -> None:
    stage.orders.on(BATCH, take_orders)


def test_an_order_whose_stock_is_held_is_answered_with_201_and_its_place(place: Place) -> None:
    answer = place()

    assert answer.status_code == 201
    assert answer.json()["data"]["status"] == "RESERVED"
    assert answer.headers["location"] == f"/api/v1/orders/{answer.json()['data']['id']}"
    assert len(answer.headers["x-trace-id"]) == 32


def test_an_order_is_shown_as_the_api_says(place: Place) -> None:
    data = place().json()["data"]

    assert data["items"] == [
        {"sku": "85123A", "name": "HEART", "quantity": 2, "unit_price": "2.55", "line_total": "5.10"}
    ]
    assert (data["total_amount"], data["metadata"], data["external_ref"], data["version"]) == ("5.10", {}, None, 2)
    assert data["placed_at"] == "2026-01-31T12:00:00.250000Z"
    assert data["completed_at"] is None


def test_who_does_not_want_to_wait_is_answered_with_202(place: Place, stage: Stage) -> None:
    answer = place({"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["data"]["status"]) == (202, "PENDING")
    assert answer.headers["preference-applied"] == "respond-async"
    assert stage.orders.asked[-1].entries[0].request.wait_ms == 0


def test_the_wait_that_is_asked_for_reaches_the_service(place: Place, stage: Stage) -> None:
    answer = place({"Prefer": "wait=7"})

    entry = stage.orders.asked[-1].entries[0]
    assert entry.request.wait_ms == 7000
    assert entry.deadline_ms == 10_000
    assert answer.headers["preference-applied"] == "wait=7"


def test_each_entry_carries_its_callers_trace_and_token(place: Place, stage: Stage) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = place({"traceparent": traceparent, "Authorization": "Bearer abc"})

    entry = stage.orders.asked[-1].entries[0]
    assert (entry.traceparent, entry.authorization) == (traceparent, "Bearer abc")
    assert answer.headers["x-trace-id"] == "0af7651916cd43dd8448eb211c80319c"


def test_a_uuid_in_x_trace_id_is_taken_as_the_trace(place: Place) -> None:
    answer = place({"X-Trace-Id": "0AF76519-16CD-43DD-8448-EB211C80319C"})

    assert answer.headers["x-trace-id"] == "0af7651916cd43dd8448eb211c80319c"


def test_the_key_may_come_as_a_header(client: httpx.Client, stage: Stage) -> None:
    body = {"customer_id": "c", "items": [{"sku": "A", "quantity": 1}]}

    answer = client.post("/orders", json=body, headers={"Idempotency-Key": "cart-1"})

    assert answer.status_code == 201
    assert stage.orders.asked[-1].entries[0].request.idempotency_key == "cart-1"


def test_a_key_in_another_encoding_is_still_its_own_key(client: httpx.Client, stage: Stage) -> None:
    body = {"customer_id": "c", "items": [{"sku": "A", "quantity": 1}]}
    for key in (b"caf\xe9", b"caf\xe8", "caf\u00ea".encode()):
        client.post("/orders", json=body, headers=[(b"Idempotency-Key", key)])

    asked = [batch.entries[0].request.idempotency_key for batch in stage.orders.asked]
    assert asked == ["caf\u00e9", "caf\u00e8", "caf\u00ea"]


def test_equal_keys_in_header_and_body_are_one_key(place: Place) -> None:
    assert place({"Idempotency-Key": "k"}).status_code == 201


def test_different_keys_in_header_and_body_are_refused(place: Place) -> None:
    answer = place({"Idempotency-Key": "other"})

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["idempotency_key"]


def test_a_key_in_the_header_lets_null_pass_in_the_body_and_nothing_that_is_wrong(place: Place) -> None:
    absent, wrong = (place({"Idempotency-Key": "k"}, idempotency_key=key) for key in (None, 7))

    assert absent.status_code == 201
    assert (wrong.status_code, wrong.json()["errors"]) == (422, {"idempotency_key": ["must be a string"]})


def test_no_key_at_all_is_refused_by_name(client: httpx.Client) -> None:
    answer = client.post("/orders", json={"customer_id": "c", "items": []})

    assert answer.status_code == 422
    assert answer.json()["errors"] == {"idempotency_key": ["is required"]}


def test_text_is_trimmed_and_normalised_before_it_is_sent(place: Place, stage: Stage) -> None:
    place(customer_id="  Zoe\u0308 ")

    assert stage.orders.asked[-1].entries[0].request.customer_id == "Zo\u00eb"


def test_a_replay_is_answered_with_200_and_says_so(place: Place, stage: Stage) -> None:
    async def replay(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(decided(0, replayed=True))

    stage.orders.on(BATCH, replay)
    answer = place()

    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")


def test_a_shortage_is_told_with_what_is_short(place: Place, stage: Stage) -> None:
    shortage = orders_pb2.Shortage(sku="85123A", requested=2, available=1)
    refusal = OutOfStock("Not enough.", details=[orders_pb2.InsufficientStock(order_id="o-1", shortages=[shortage])])

    async def refuse(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(stored(0))
        yield answered(orders_pb2.BatchCreateOrdersResult(index=0, error=status_of(refusal), final=True, replayed=True))

    stage.orders.on(BATCH, refuse)
    answer = place()

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert problem["error_code"] == "insufficient_stock"
    assert problem["order_id"] == "o-1"
    assert problem["shortages"] == [{"sku": "85123A", "requested": 2, "available": 1}]
    assert answer.headers["idempotent-replayed"] == "true"


def test_what_the_service_finds_wrong_is_told_by_field(place: Place, stage: Stage) -> None:
    refusal = ValidationFailed("items[0].quantity is wrong", fields={"items[0].quantity": ["must be positive"]})

    async def refuse(request: Any, context: Any) -> AsyncIterator[Any]:
        yield answered(orders_pb2.BatchCreateOrdersResult(index=0, error=status_of(refusal), final=True))

    stage.orders.on(BATCH, refuse)
    answer = place()

    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:problem:validation-error", "title": "Validation error", "status": 422,
        "detail": "items[0].quantity is wrong", "instance": "/api/v1/orders", "error_code": "validation_error",
        "message": "items[0].quantity is wrong", "errors": {"items[0].quantity": ["must be positive"]},
        "trace_id": answer.headers["x-trace-id"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("items[1].quantity", {"items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1.5}]}),
        ("items[0].quantity", {"items": [{"sku": "A", "quantity": "many"}]}),
        ("items[0].quantity", {"items": [{"sku": "A", "quantity": True}]}),
        ("items[0].quantity", {"items": [{"sku": "A", "quantity": 10**30}]}),
        ("items[0].quantity", {"items": [{"sku": "A"}]}),
        ("items[0].colour", {"items": [{"sku": "A", "quantity": 1, "colour": "red"}]}),
        ("items", {"items": [{"sku": "A", "quantity": 1}] * 501}),
        ("items", {"items": {"sku": "A"}}),
        ("total", {"total": "0.01"}),
        ("total", {"total": None}),
        ("customer_id", {"customer_id": 17}),
        ("customer_id", {"customer_id": None}),
        ("stock_policy", {"stock_policy": "STOCK_POLICY_REJECT"}),
        ("stock_policy", {"stock_policy": "UNSPECIFIED"}),
        ("expected_total", {"expected_total": 5.1}),
        ('metadata["a"]', {"metadata": {"a": 1}}),
        ("wait_ms", {"wait_ms": 2**31}),
    ],
)
def test_what_does_not_fit_is_named(place: Place, stage: Stage, field: str, more: dict[str, object]) -> None:
    answer = place(**more)

    assert answer.status_code == 422
    assert answer.json()["error_code"] == "validation_error"
    assert list(answer.json()["errors"]) == [field]
    assert stage.orders.asked == []


@pytest.mark.parametrize("body", [b"null", b"[]", b"7", b'"text"'])
def test_a_body_that_is_no_object_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/orders", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["errors"]) == (422, {"body": ["must be an object"]})


@pytest.mark.parametrize("body", [b'{"items": [', b"[" * 100_000, b'{"customer_id": "\xff"}', b'{"a": NaN}'])
def test_a_body_that_is_no_json_is_malformed(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/orders", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "malformed_request")


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    answer = client.post("/orders", content=b"<a/>", headers={"Content-Type": "application/xml"})

    assert (answer.status_code, answer.json()["error_code"]) == (415, "unsupported_media_type")


def test_null_stands_for_an_absent_value(place: Place, stage: Stage) -> None:
    answer = place(expected_total=None, external_ref=None, stock_policy=None, metadata=None)

    request = stage.orders.asked[-1].entries[0].request
    assert answer.status_code == 201
    assert not request.HasField("expected_total")
    assert request.stock_policy == orders_pb2.STOCK_POLICY_UNSPECIFIED
