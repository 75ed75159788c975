"""Refunds over REST: asked for once, carried out at the provider, shown by the order, and back on the shelf."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local import Stack
from tests.end_to_end.shop import Answer, Shop
from tests.waiting import until


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


@pytest.fixture
def bought(shop: Shop) -> tuple[str, str]:
    """A completed order of three pieces for 10.00, of ten; its id and its SKU."""
    sku = shop.stock("refund", 10, "10.00")
    order_id = shop.place([(sku, 3)]).data["id"]
    assert shop.comes_to(order_id, "COMPLETED")["status"] == "COMPLETED"
    return order_id, sku


def ask(shop: Shop, order_id: str, key: str, **more: object) -> Answer:
    return shop.call("POST", f"/orders/{order_id}/refunds", {"idempotency_key": key} | more)


def test_ten_equal_refunds_at_once_are_one(shop: Shop, bought: tuple[str, str]) -> None:
    order_id, _ = bought

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ask(shop, order_id, "r1", amount="12.50", reason="scratched"), range(10)))

    assert Counter(answer.status for answer in answers) == {201: 1, 200: 9}
    assert len({answer.data["id"] for answer in answers}) == 1
    assert until(lambda: shop.order(order_id)["refunded_amount"] == "12.50")
    assert shop.order(order_id)["payment_status"] == "PARTIALLY_REFUNDED"
    reused = ask(shop, order_id, "r1", amount="12.51")
    assert (reused.status, reused.body["error_code"]) == (422, "idempotency_key_reused")


def test_what_is_left_goes_back_with_the_goods(shop: Shop, bought: tuple[str, str]) -> None:
    order_id, sku = bought
    assert ask(shop, order_id, "r1", amount="12.50").data["status"] == "PENDING"
    too_much = ask(shop, order_id, "r2", amount="17.51")

    rest = ask(shop, order_id, "r3", restock=True)

    assert (too_much.status, too_much.body["error_code"]) == (422, "refund_exceeds_payment")
    assert (rest.status, rest.data["amount"], rest.data["items"]) == (201, "17.50", [{"sku": sku, "quantity": 3}])
    assert until(lambda: shop.order(order_id)["payment_status"] == "REFUNDED")
    assert until(lambda: shop.call("GET", f"/inventory/{sku}").data["on_hand"] == 10)
    [payment] = shop.call("GET", f"/orders/{order_id}/payments").data
    assert (payment["status"], payment["captured_amount"], payment["refunded_amount"]) == ("REFUNDED", "30.00", "30.00")
    assert ask(shop, order_id, "r3", restock=True).data["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"amount": "0"}, "validation_error", "amount"),
        ({"amount": "-1"}, "validation_error", "amount"),
        ({"amount": "1.005"}, "validation_error", "amount"),
        ({"currency": "EUR"}, "currency_mismatch", "currency"),
        ({"amount": "1.00", "restock": True}, "validation_error", "items"),
        ({"restock": True, "items": [{"sku": "NOT-IN-IT", "quantity": 1}]}, "validation_error", "items[0].sku"),
        ({"idempotency_key": " "}, "validation_error", "idempotency_key"),
    ],
)
def test_a_bad_refund_is_refused_with_the_name_of_what_is_bad(
    shop: Shop, bought: tuple[str, str], body: dict[str, object], code: str, field: str
) -> None:
    order_id, _ = bought

    refused = shop.call("POST", f"/orders/{order_id}/refunds", {"idempotency_key": "r1"} | body)

    assert (refused.status, refused.body["error_code"]) == (422, code)
    assert field in refused.body["errors"]
    assert shop.order(order_id)["refunded_amount"] == "0.00"


def test_there_is_nothing_to_refund_of_an_order_that_was_not_paid_or_is_not_there(shop: Shop) -> None:
    failed = shop.place([(shop.stock("failed", 1), 1)], payment_method="sim_declined").data["id"]
    shop.comes_to(failed, "FAILED")

    refused, unknown = ask(shop, failed, "r4"), ask(shop, str(uuid.uuid4()), "r4")

    assert (refused.status, refused.body["error_code"]) == (422, "order_not_refundable")
    assert (unknown.status, unknown.body["error_code"]) == (404, "not_found")
    assert shop.call("GET", f"/orders/{uuid.uuid4()}/payments").status == 404
