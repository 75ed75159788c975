"""Orders that wait for suppliers, over REST: the goods come by check or webhook, and the door lets nobody else in."""

from typing import Any

import httpx
import orjson
import pytest

from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret
from deploy.local import Stack
from tests.end_to_end.shop import Shop
from tests.waiting import until

DOOR = "/webhooks/suppliers/simulated"


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


@pytest.fixture
def secret(stack: Stack) -> WebhookSecret:
    return WebhookSecret(stack.environment["SUPPLIER_WEBHOOK_SECRET"])


def waiting(shop: Shop, scenario: str) -> tuple[str, str]:
    """An order that waits for three pieces, one of which is there; its SKU."""
    sku = shop.stock("waits", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario=scenario)
    answer = shop.place([(sku, 3)], stock_policy="BACKORDER")
    assert (answer.status, answer.data["status"]) == (202, "AWAITING_RESTOCK"), answer
    return answer.data["id"], sku


def supplier_order(shop: Shop, order_id: str) -> Any:
    """The one supplier order of an order."""
    found = until(lambda: shop.call("GET", f"/supplier-orders?order_id={order_id}").data)
    assert found
    return found[0]


def on_the_shelf(shop: Shop, sku: str) -> tuple[int, int]:
    seen = shop.call("GET", f"/inventory/{sku}").data
    return seen["on_hand"], seen["reserved"]


def post(stack: Stack, body: bytes, timestamp: str, signature: str) -> httpx.Response:
    """A supplier's message, as it comes over the wire."""
    base = f"http://127.0.0.1:{8080 + stack.place.port_offset}/api/v1"
    return httpx.post(
        base + DOOR, content=body, headers={TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}, timeout=30
    )


def test_a_webhook_brings_the_goods_before_any_check_would(shop: Shop) -> None:
    order_id, sku = waiting(shop, "webhook_ok:1")
    assert until(lambda: shop.order(order_id)["next_try_at"])
    assert shop.order(order_id)["attention"] == "supplier_wait"

    assert shop.comes_to(order_id, "COMPLETED", seconds=12)["status"] == "COMPLETED"

    goods = supplier_order(shop, order_id)
    assert (goods["status"], goods["quantity"], goods["checks_made"]) == ("DELIVERED", 2, 0)
    assert until(lambda: on_the_shelf(shop, sku) == (0, 0))
    moves = shop.call("GET", f"/inventory/{sku}/movements").data
    assert [move["kind"] for move in moves] == ["RECEIPT", "RESERVATION", "RECEIPT", "RESERVATION", "SALE"]


def test_a_suppliers_word_is_taken_once_however_often_it_comes(shop: Shop, stack: Stack, secret: WebhookSecret) -> None:
    order_id, sku = waiting(shop, "delayed_forever")
    body = orjson.dumps({"reference": supplier_order(shop, order_id)["id"], "status": "ok"})
    signed = secret.signed_now(body)

    assert [post(stack, body, *signed).status_code for _ in range(3)] == [202, 202, 202]

    assert shop.comes_to(order_id, "COMPLETED")["status"] == "COMPLETED"
    assert until(lambda: on_the_shelf(shop, sku) == (0, 0))


def test_what_is_not_signed_now_or_names_nothing_changes_nothing(
    shop: Shop, stack: Stack, secret: WebhookSecret
) -> None:
    order_id, sku = waiting(shop, "delayed_forever")
    body = orjson.dumps({"reference": supplier_order(shop, order_id)["id"], "status": "ok"})
    timestamp, signature = secret.signed_now(body)
    stale = str(int(timestamp) - 600)
    unknown = orjson.dumps({"reference": "nobody's", "status": "ok"})
    huge = b"x" * 10_000_000

    assert post(stack, body, "", "").status_code == 401
    assert post(stack, body, timestamp, signature[:-1] + "!").status_code == 401
    assert post(stack, body, stale, secret.sign(stale, body)).status_code == 401
    assert post(stack, unknown, *secret.signed_now(unknown)).status_code == 404
    assert post(stack, huge, *secret.signed_now(huge)).status_code == 413

    assert shop.order(order_id)["status"] == "AWAITING_RESTOCK"
    assert on_the_shelf(shop, sku) == (1, 1)


def test_an_order_that_is_cancelled_while_it_waits_calls_its_goods_off(shop: Shop) -> None:
    order_id, sku = waiting(shop, "delayed_forever")
    assert until(lambda: supplier_order(shop, order_id)["status"] == "ACCEPTED")

    shop.call("POST", f"/orders/{order_id}/cancel", {})

    assert shop.comes_to(order_id, "CANCELLED")["status"] == "CANCELLED"
    assert until(lambda: supplier_order(shop, order_id)["status"] == "CANCELLED")
    assert until(lambda: on_the_shelf(shop, sku) == (1, 0))
