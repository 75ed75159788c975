"""What every path has in common: limits, verbs, traces, health, and the pages about itself."""

import http.client
import json
import socket
from contextlib import closing
from typing import Any

import httpx
import pytest
from grpc_health.v1 import health_pb2

from tests.services.gateway.conftest import Stage
from tests.services.gateway.services import an_order, take_orders
from tests.waiting import until

_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVING = health_pb2.HealthCheckResponse.SERVING


def test_a_body_over_a_mebibyte_is_refused_while_it_is_still_being_sent(stage: Stage) -> None:
    body = b'{"a": "' + b"a" * 5_000_000 + b'"}'
    with closing(http.client.HTTPConnection("127.0.0.1", stage.port, timeout=10)) as connection:
        connection.request("POST", "/api/v1/orders", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()

        assert answer.status == 413
        assert json.loads(answer.read())["error_code"] == "payload_too_large"
        assert answer.getheader("connection") == "close"


def test_a_body_that_does_not_say_its_size_is_refused_once_it_is_too_large(client: httpx.Client) -> None:
    answer = client.post("/orders", content=iter([b"a" * 600_000] * 4), headers={"Content-Type": "application/json"})

    assert answer.status_code == 413


def test_the_answer_to_a_body_of_gigabytes_comes_at_once(stage: Stage) -> None:
    with socket.create_connection(("127.0.0.1", stage.port), timeout=10) as connection:
        connection.sendall(b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n{")

        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_who_waits_to_be_asked_for_the_body_is_refused_without_it(stage: Stage) -> None:
    with socket.create_connection(("127.0.0.1", stage.port), timeout=10) as connection:
        head = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_unknown_path_is_a_problem_too(client: httpx.Client) -> None:
    answer = client.get("/nothing/here")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.headers["x-trace-id"]) == 32


def test_another_verb_is_told_what_is_allowed(client: httpx.Client) -> None:
    answer = client.delete("/orders/x")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_options_tell_what_is_allowed(client: httpx.Client) -> None:
    answer = client.options("/orders")

    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_head_is_get_without_the_body(client: httpx.Client, stage: Stage) -> None:
    stage.orders.on("/orders.v1.OrderService/GetOrder", lambda request, context: an_order())

    answer = client.head("/orders/x")

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", '"1"')


def test_answers_carry_the_headers_that_keep_browsers_out_of_trouble(client: httpx.Client) -> None:
    headers = client.get("/health/live").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_connection_serves_one_request_after_the_other(stage: Stage) -> None:
    stage.orders.on("/orders.v1.OrderService/BatchCreateOrders", take_orders)
    good = b'{"customer_id": "c", "idempotency_key": "k", "items": [{"sku": "A", "quantity": 1}]}'
    statuses = []
    with closing(http.client.HTTPConnection("127.0.0.1", stage.port, timeout=10)) as connection:
        for body in (b"[", good, b""):
            connection.request("POST", "/api/v1/orders", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)

    assert statuses == [400, 201, 422]


@pytest.mark.parametrize("path", ["/api/v1/health", "/health", "/api/health"])
def test_health_names_every_part(stage: Stage, path: str) -> None:
    answer = until(lambda: _when_ok(f"http://127.0.0.1:{stage.port}{path}"))

    assert answer["services"] == {
        "database": "connected", "redis": "connected", "kafka": "connected",
        "orders": "serving", "inventory": "serving", "suppliers": "serving", "payments": "serving",
    }  # fmt: skip


def test_health_names_what_is_missing(client: httpx.Client, stage: Stage) -> None:
    inventory = stage.services["inventory"]
    stage.run(inventory.health.set("kafka", _NOT_SERVING))
    try:
        answer: Any = until(lambda: (found := client.get("/health")).status_code == 503 and found)
    finally:
        stage.run(inventory.health.set("kafka", _SERVING))

    assert answer.json()["status"] == "degraded"
    assert answer.json()["services"]["kafka"] == "disconnected"


def test_only_the_order_service_decides_whether_the_gateway_is_ready(client: httpx.Client, stage: Stage) -> None:
    orders, payments = stage.orders, stage.services["payments"]
    stage.run(payments.health.set("", _NOT_SERVING))
    without_payments = client.get("/health/ready").status_code
    stage.run(orders.health.set("", _NOT_SERVING))
    without_orders = client.get("/health/ready")
    for service in (orders, payments):
        stage.run(service.health.set("", _SERVING))

    assert without_payments == 200
    assert (without_orders.status_code, without_orders.json()["services"]) == (503, {"orders": "not serving"})


@pytest.mark.parametrize("path", ["/", "/docs", "/api/v1/docs"])
def test_pages_need_nothing_from_outside(stage: Stage, path: str) -> None:
    page = httpx.get(f"http://127.0.0.1:{stage.port}{path}")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def _when_ok(url: str) -> Any:
    answer = httpx.get(url)
    return answer.json() if answer.status_code == 200 else None
