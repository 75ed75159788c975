"""What customers send goes where it is needed, and into no log; and who is forgotten is forgotten."""

import uuid

import pytest

from deploy.local import Stack
from tests.end_to_end.shop import Shop
from tests.waiting import until


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def logs_with(stack: Stack, mark: str) -> list[str]:
    """The logs in which a word stands, those of Postgres and Kafka among them."""
    files = [file for file in stack.place.logs.rglob("*") if file.is_file()]
    assert len(files) > 5
    return [file.name for file in files if mark.encode() in file.read_bytes()]


def test_no_log_tells_who_ordered_or_what_they_said(shop: Shop, stack: Stack) -> None:
    mark = f"mark{uuid.uuid4().hex}"
    sku = shop.stock("private", 5)
    body = {
        "customer_id": mark, "idempotency_key": f"cart-{mark}", "items": [{"sku": sku, "quantity": 1}],
        "external_ref": f"ref-{mark}", "metadata": {"note": f"ring twice, {mark}"},
    }  # fmt: skip

    placed = shop.call("POST", "/orders", body, {"Prefer": "wait=10"})
    assert placed.status == 201
    shop.comes_to(placed.data["id"], "COMPLETED")
    for change, status in (
        ({"items": [{"sku": sku, "quantity": 2}]}, 422),
        ({"idempotency_key": f"2-{mark}", "items": [{"sku": sku, "quantity": 99}]}, 409),
        ({"idempotency_key": f"3-{mark}", "items": [{"sku": f"none-{mark}", "quantity": 1}]}, 422),
        ({"idempotency_key": f"4-{mark}", "payment_method": "sim_declined"}, 201),
        ({"customer_id": f"{mark}\n"}, 422),
    ):
        assert shop.call("POST", "/orders", body | change, {"Prefer": "wait=10"}).status == status
    for path in (f"/orders?customer_id={mark}", f"/leaderboard/customers/{mark}/rank", f"/orders/{mark}"):
        assert shop.call("GET", path).status in (200, 404, 422)
    waiting = shop.call("POST", "/orders", body | {"idempotency_key": f"5-{mark}"}, {"Prefer": "respond-async"})
    shop.call("POST", f"/orders/{waiting.data['id']}/cancel", {"reason": f"because of {mark}"})
    refund = {"amount": "0.01", "reason": f"said {mark}", "idempotency_key": mark}
    assert shop.call("POST", f"/orders/{placed.data['id']}/refunds", refund).status == 201

    path = f"/customers/{mark}/forget"
    assert until(lambda: shop.call("POST", path, {}).data["status"] == "FORGOTTEN", 60)
    assert shop.call("GET", f"/orders?customer_id={mark}").data == []
    shown = shop.call("GET", f"/orders/{placed.data['id']}").data
    assert (shown["customer_id"][:10], shown["metadata"], shown["external_ref"]) == ("forgotten-", {}, None)
    assert mark not in str(shop.call("GET", f"/orders/{waiting.data['id']}/timeline").data)
    again = shop.call("POST", "/orders", body, {"Prefer": "wait=10"})
    assert (again.status, again.data["id"]) == (200, placed.data["id"])
    assert logs_with(stack, mark) == []
