"""What a provider and an operator say of an order's money, over REST."""

import json
from typing import Any

import pytest

from chassis import clock
from chassis.ids import new_id
from chassis.webhooks import WebhookSecret
from deploy.local import Stack
from tests.end_to_end.shop import Answer, Shop
from tests.waiting import until


class Provider:
    """Sends callbacks, signed as agreed or not."""

    def __init__(self, stack: Stack, shop: Shop) -> None:
        self.secret = WebhookSecret(stack.environment["PAYMENT_WEBHOOK_SECRET"])
        self._shop = shop

    def tell(
        self, message: Any, *, secret: WebhookSecret | None = None, late: int = 0, name: str = "simulated"
    ) -> Answer:
        """Send a message that was signed `late` seconds ago."""
        timestamp = str(clock.unix_ms() // 1000 - late)
        signature = (secret or self.secret).sign(timestamp, json.dumps(message).encode())
        headers = {"X-Webhook-Timestamp": timestamp, "X-Webhook-Signature": signature}
        return self._shop.call("POST", f"/webhooks/payments/{name}", message, headers)


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


@pytest.fixture
def provider(stack: Stack, shop: Shop) -> Provider:
    return Provider(stack, shop)


def an_order_under_way(shop: Shop) -> tuple[str, dict[str, Any]]:
    """An order whose provider thinks for long, and the callback that says that it is paid."""
    order = shop.place([(shop.stock("callback", 5), 1)], payment_method="sim_slow:8000").data["id"]
    assert shop.comes_to(order, "PAYMENT_PROCESSING")["status"] == "PAYMENT_PROCESSING"
    [payment] = shop.call("GET", f"/orders/{order}/payments").data
    said = {"key": payment["id"], "reference": "r-1", "amount_minor": 255, "currency": "GBP"}
    return order, {"type": "payment.captured"} | said


def test_a_callback_that_is_quicker_than_the_answer_completes_the_order_once(shop: Shop, provider: Provider) -> None:
    order, captured = an_order_under_way(shop)

    answers = [provider.tell(captured) for _ in range(3)]

    assert [answer.status for answer in answers] == [202] * 3
    assert shop.comes_to(order, "COMPLETED", seconds=5)["status"] == "COMPLETED"
    steps = [step["to"] for step in shop.call("GET", f"/orders/{order}/timeline").data]
    assert steps.count("COMPLETED") == 1


def test_a_callback_that_is_not_as_agreed_is_told_so_and_changes_nothing(shop: Shop, provider: Provider) -> None:
    order, captured = an_order_under_way(shop)

    refused = [
        provider.tell(captured, secret=WebhookSecret("another secret of some length")),
        provider.tell(captured, late=400),
        shop.call("POST", "/webhooks/payments/simulated", captured),
        provider.tell(captured | {"key": new_id()}),
        provider.tell(captured, name="nobody"),
        provider.tell(captured | {"reference": "x" * 10_000_000}),
        provider.tell(captured | {"amount_minor": "2.55"}),
    ]

    assert [answer.status for answer in refused] == [401, 401, 401, 404, 404, 413, 422]
    assert shop.order(order)["status"] == "PAYMENT_PROCESSING"


def test_another_amount_than_asked_calls_an_operator_and_is_not_applied(shop: Shop, provider: Provider) -> None:
    order, captured = an_order_under_way(shop)

    assert provider.tell(captured | {"amount_minor": 25_500}).status == 202

    assert until(lambda: shop.order(order)["attention"] == "payment_operator")
    assert shop.order(order)["status"] == "PAYMENT_PROCESSING"
    assert provider.tell(captured).status == 202
    assert shop.comes_to(order, "COMPLETED", seconds=5)["attention"] is None


def test_only_what_waits_for_an_operator_is_settled_and_only_with_evidence(shop: Shop) -> None:
    order = shop.place([(shop.stock("settled", 1), 1)]).data["id"]
    assert shop.comes_to(order, "COMPLETED")["status"] == "COMPLETED"
    [payment] = shop.call("GET", f"/orders/{order}/payments").data
    path = f"/operations/payments/{payment['id']}/settle"

    decided = shop.call("POST", path, {"outcome": "NOT_CAPTURED", "evidence": "a letter"})
    without = shop.call("POST", path, {"outcome": "NOT_CAPTURED"})
    other = shop.call("POST", path, {"outcome": "PERHAPS", "evidence": "a letter"})
    unknown = shop.call(
        "POST", f"/operations/payments/{new_id()}/settle", {"outcome": "CAPTURED", "evidence": "a letter"}
    )

    assert [each.status for each in (decided, without, other, unknown)] == [422, 422, 422, 404]
    assert decided.body["error_code"] == "payment_not_settleable"
    assert shop.call("GET", f"/orders/{order}/payments").data == [payment]
    assert shop.call("GET", "/operations/payments/differences").data == []
