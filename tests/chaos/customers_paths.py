"""The paths of customers, and of those who pay and supply for them: each makes ready, yields, and goes to its end."""

from collections.abc import Iterator
from typing import Any, Final

from chassis import ids
from tests.chaos.scene import END_SECONDS, Scene
from tests.end_to_end.shop import Answer
from tests.waiting import until

NEVER: Final = "webhook_ok:600"
"""The scenario of a supplier who brings nothing for as long as a test lasts, and does not say so either."""


def placing(scene: Scene) -> Iterator[None]:
    """An order is placed and completed."""
    sku = scene.shop.stock("placed", 10)
    yield
    scene.comes_to(scene.place(sku, 2), "COMPLETED")
    scene.is_left(sku, 8)


def retrying(scene: Scene) -> Iterator[None]:
    """The provider has two errors before it takes the money."""
    sku = scene.shop.stock("retried", 10)
    yield
    scene.comes_to(scene.place(sku, 2, payment_method="sim_error_then_ok"), "COMPLETED")
    scene.is_left(sku, 8)


def asking(scene: Scene) -> Iterator[None]:
    """The provider takes the money, and does not say so."""
    sku = scene.shop.stock("asked", 10)
    order_id = scene.place(sku, 2, payment_method="sim_timeout_charged")
    yield
    scene.comes_to(order_id, "COMPLETED")
    scene.is_left(sku, 8)


def cancelling(scene: Scene) -> Iterator[None]:
    """The customer cancels while the money is being taken; it may turn out to be too late."""
    sku = scene.shop.stock("cancelled", 10)
    order_id = scene.place(sku, 2, payment_method="sim_slow:1500")
    scene.comes_to(order_id, "PAYMENT_PROCESSING")
    yield
    is_too_late = scene.ask("POST", f"/orders/{order_id}/cancel", {}).status == 422
    scene.comes_to(order_id, "COMPLETED" if is_too_late else "CANCELLED")
    scene.is_left(sku, 8 if is_too_late else 10)


def calling_off(scene: Scene) -> Iterator[None]:
    """The customer cancels while the supplier has the goods still to send."""
    order_id, sku = waiting_long(scene)
    yield
    assert scene.ask("POST", f"/orders/{order_id}/cancel", {}).status in (200, 202)
    scene.comes_to(order_id, "CANCELLED")
    scene.is_left(sku, 1)
    goods = f"/supplier-orders?order_id={order_id}"
    assert until(lambda: [each["status"] for each in scene.see(goods)] == ["CANCELLED"], seconds=END_SECONDS), (
        scene.see(goods)
    )


def refunding(scene: Scene) -> Iterator[None]:
    """All of the money and all of the goods go back."""
    sku = scene.shop.stock("refunded", 10)
    order_id = scene.place(sku, 2)
    scene.comes_to(order_id, "COMPLETED")
    yield
    refund = {"idempotency_key": ids.new_id(), "restock": True}
    assert scene.ask("POST", f"/orders/{order_id}/refunds", refund).status in (200, 201)
    scene.comes_to(order_id, "COMPLETED", payment_status="REFUNDED")
    scene.is_left(sku, 10)


def waiting(scene: Scene) -> Iterator[None]:
    """What is missing is ordered of the supplier, who is asked until it comes."""
    sku = scene.shop.stock("waited", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario="ok")
    yield
    scene.comes_to(scene.place(sku, 3, stock_policy="BACKORDER"), "COMPLETED")
    scene.is_left(sku, 0)


def delivered(scene: Scene) -> Iterator[None]:
    """The supplier tells by webhook."""
    order_id, sku = waiting_long(scene)
    yield
    scene.goods_come(order_id)
    scene.comes_to(order_id, "COMPLETED")
    scene.is_left(sku, 0)


def waiting_long(scene: Scene) -> tuple[str, str]:
    """An order whose supplier has taken it on, and its SKU."""
    sku = scene.shop.stock("waits", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario=NEVER)
    order_id = scene.place(sku, 3, stock_policy="BACKORDER")
    scene.comes_to(order_id, "AWAITING_RESTOCK")
    orders = f"/supplier-orders?order_id={order_id}"
    assert until(lambda: [each["status"] for each in scene.see(orders)] == ["ACCEPTED"], every=0.05)
    return order_id, sku


def called_back(scene: Scene) -> Iterator[None]:
    """The provider tells by webhook, which may be quicker than its answer."""
    order_id = scene.place(scene.shop.stock("slow", 5), 1, payment_method="sim_slow:1500")
    notice = notice_of(scene, order_id)
    yield
    assert told(scene, notice).status == 202
    scene.comes_to(order_id, "COMPLETED")


def notice_of(scene: Scene, order_id: str) -> dict[str, Any]:
    """What the provider might say of an order's payment."""
    [payment] = until(lambda: scene.see(f"/orders/{order_id}/payments"), seconds=END_SECONDS, every=0.05)
    return {"type": "payment.captured", "key": payment["id"], "reference": "r-1", "amount_minor": 255,
            "currency": "GBP"}  # fmt: skip


def told(scene: Scene, notice: object) -> Answer:
    return scene.ask("POST", "/webhooks/payments/simulated", notice, scene.signed("PAYMENT_WEBHOOK_SECRET", notice))


def importing(scene: Scene) -> Iterator[None]:
    """A file of two orders; it is sent again until it was taken."""
    sku = scene.shop.stock("imported", 10)
    source = ids.new_id()
    file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" + "".join(
        f"{number},{sku},a thing,2,2010-12-01 08:26:00,2.55,17850,United Kingdom\n" for number in (536365, 536366)
    )
    yield
    import_id = scene.upload(source, file.encode())
    ended = until(lambda: (found := scene.see(f"/imports/{import_id}"))["status"] == "DONE" and found,
                  seconds=END_SECONDS, every=0.05)  # fmt: skip
    assert ended, scene.see(f"/imports/{import_id}")
    assert (ended["orders"], ended["orders_by_status"]) == (2, {"COMPLETED": 2})
    scene.is_left(sku, 6)
