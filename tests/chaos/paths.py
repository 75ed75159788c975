"""The ways through the system on which each failpoint lies: what a client does there, and how it ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from signal import SIGCONT, SIGSTOP
from typing import Any, Final

from chassis import ids
from chassis.dead_letters import Letter
from tests.chaos.scene import END_SECONDS, Scene
from tests.chaos.topics import READERS
from tests.end_to_end.shop import Answer
from tests.waiting import until

NEVER: Final = "webhook_ok:600"
"""The scenario of a supplier who brings nothing for as long as a test lasts, and does not say so either."""


Path = Callable[[Scene], Iterator[None]]
"""Makes ready, yields, and goes the path to its end."""


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
    order_id, sku = _waiting_long(scene)
    yield
    assert scene.ask("POST", f"/orders/{order_id}/cancel", {}).status in (200, 202)
    scene.comes_to(order_id, "CANCELLED")
    scene.is_left(sku, 1)
    goods = f"/supplier-orders?order_id={order_id}"
    assert until(lambda: [each["status"] for each in scene.see(goods)] == ["CANCELLED"], seconds=END_SECONDS)


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


def forgetting(scene: Scene) -> Iterator[None]:
    """A customer is forgotten, one of whose orders has not ended; a late retry makes no second order."""
    customer, key = f"gone-{ids.new_id()}", ids.new_id()
    sku = scene.shop.stock("forgotten", 10)
    ended = scene.place(sku, 2, customer_id=customer, idempotency_key=key)
    scene.comes_to(ended, "COMPLETED")
    running = scene.place(sku, 1, customer_id=customer, payment_method="sim_slow:1500")
    yield
    path = f"/customers/{customer}/forget"
    assert until(lambda: scene.ask("POST", path, {}).data["status"] == "FORGOTTEN", seconds=END_SECONDS, every=0.1)
    scene.comes_to(running, "COMPLETED")
    assert scene.see(f"/orders?customer_id={customer}") == []
    assert {scene.see(f"/orders/{each}")["customer_id"][:10] for each in (ended, running)} == {"forgotten-"}
    assert scene.place(sku, 2, customer_id=customer, idempotency_key=key) == ended
    scene.is_left(sku, 7)


def expiring(scene: Scene) -> Iterator[None]:
    """The time of a held order is over, whose request for money an operator has given up."""
    sku = scene.shop.stock("expired", 10)
    order_id = _without_request(scene, sku)
    yield
    scene.change("UPDATE orders.orders SET reserved_until = now() WHERE id = CAST(:id AS uuid)", id=order_id)
    scene.comes_to(order_id, "EXPIRED")
    scene.is_left(sku, 10)


def _without_request(scene: Scene, sku: str) -> str:
    """A held order of which payments has never heard."""
    supervisor = scene.stack.infrastructure.supervisor
    supervisor.kill("payment_service", SIGSTOP)
    try:
        order_id = scene.place(sku, 2)
        scene.comes_to(order_id, "RESERVED")
        scene.change(
            "INSERT INTO payments.parked_keys (consumer, topic, key, next_try_at)"
            " VALUES ('payments', 'payments.requests', :key, now() + interval '1 hour')",
            key=order_id,
        )
    finally:
        supervisor.kill("payment_service", SIGCONT)
    assert until(lambda: scene.letters("payments"), seconds=END_SECONDS, every=0.05)
    _give_up(scene, "payments", order_id)
    return order_id


def waiting(scene: Scene) -> Iterator[None]:
    """What is missing is ordered of the supplier, who is asked until it comes."""
    sku = scene.shop.stock("waited", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario="ok")
    yield
    scene.comes_to(scene.place(sku, 3, stock_policy="BACKORDER"), "COMPLETED")
    scene.is_left(sku, 0)


def delivered(scene: Scene) -> Iterator[None]:
    """The supplier tells by webhook."""
    order_id, sku = _waiting_long(scene)
    yield
    scene.goods_come(order_id)
    scene.comes_to(order_id, "COMPLETED")
    scene.is_left(sku, 0)


def resuming(scene: Scene) -> Iterator[None]:
    """An operator has a waiting order asked for again."""
    order_id, sku = _waiting_long(scene)
    yield
    assert scene.ask("POST", f"/operations/orders/{order_id}/resume", {}).status == 200
    scene.goods_come(order_id)
    scene.comes_to(order_id, "COMPLETED")
    scene.is_left(sku, 0)


def _waiting_long(scene: Scene) -> tuple[str, str]:
    """An order whose supplier has taken it on, and its SKU."""
    sku = scene.shop.stock("waits", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario=NEVER)
    order_id = scene.place(sku, 3, stock_policy="BACKORDER")
    scene.comes_to(order_id, "AWAITING_RESTOCK")
    orders = f"/supplier-orders?order_id={order_id}"
    assert until(lambda: [each["status"] for each in scene.see(orders)] == ["ACCEPTED"], every=0.05)
    return order_id, sku


def called_back(scene: Scene) -> Iterator[None]:
    """The provider tells by webhook, before it has answered."""
    order_id, notice = _paid_slowly(scene)
    yield
    assert _told(scene, notice).status == 202
    scene.comes_to(order_id, "COMPLETED")


def settling(scene: Scene) -> Iterator[None]:
    """An operator decides about a payment, or the provider's own answer does, which may be quicker."""
    order_id, notice = _in_doubt(scene)
    yield
    decision = {"outcome": "CAPTURED", "evidence": "the provider's statement", "provider_reference": "r-1"}
    assert scene.ask("POST", f"/operations/payments/{notice['key']}/settle", decision).status in (200, 422)
    scene.comes_to(order_id, "COMPLETED")


def _paid_slowly(scene: Scene) -> tuple[str, dict[str, Any]]:
    """An order whose provider thinks for long, and what it might say before it answers."""
    order_id = scene.place(scene.shop.stock("slow", 5), 1, payment_method="sim_slow:1500")
    [payment] = until(lambda: scene.see(f"/orders/{order_id}/payments"), seconds=END_SECONDS)
    said = {"key": payment["id"], "reference": "r-1", "amount_minor": 255, "currency": "GBP"}
    return order_id, {"type": "payment.captured"} | said


def _in_doubt(scene: Scene) -> tuple[str, dict[str, Any]]:
    """The same of an order for which another amount is said to have been paid, unless the answer is quicker."""

    def in_doubt() -> tuple[str, dict[str, Any]] | None:
        order_id, notice = _paid_slowly(scene)
        assert _told(scene, {**notice, "amount_minor": 25_500}).status == 202
        order = until(
            lambda: (
                (seen := scene.see(f"/orders/{order_id}"))
                and (seen["attention"] == "payment_operator" or seen["status"] == "COMPLETED")
                and seen
            ),
            seconds=END_SECONDS,
        )
        return None if order["status"] == "COMPLETED" else (order_id, notice)

    found = until(in_doubt, seconds=END_SECONDS)
    assert found, "the provider was always quicker"
    return found


def _told(scene: Scene, notice: object) -> Answer:
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


def pricing(scene: Scene) -> Iterator[None]:
    """A new price reaches those who place orders."""
    sku = scene.shop.stock("dearer", 10)
    product = {"name": "dearer", "price": "3.05", "currency": "GBP", "supply": "STOCK"}
    yield
    assert scene.ask("PUT", f"/products/{sku}", product).status in (200, 201)
    wanted = {"customer_id": "c-1", "items": [{"sku": sku, "quantity": 2}], "expected_total": "6.10"}

    def is_known() -> Answer | None:
        answer = scene.ask("POST", "/orders", {**wanted, "idempotency_key": f"dearer-{sku}"}, {"Prefer": "wait=0"})
        return answer if answer.status in (200, 201, 202) else None

    placed = until(is_known, seconds=END_SECONDS, every=0.1)
    assert placed, "the new price is not known"
    scene.comes_to(placed.data["id"], "COMPLETED")
    scene.is_left(sku, 8)


def offering(scene: Scene) -> Iterator[None]:
    """A new product can be bought as soon as it was answered for."""
    sku = f"OFFERED-{ids.new_id()[-12:]}".upper()
    product = {"name": "offered", "price": "2.55", "currency": "GBP", "supply": "STOCK"}
    receipt = {"quantity": 10, "reason": "opening stock", "idempotency_key": f"open-{sku}"}
    yield
    assert scene.ask("PUT", f"/products/{sku}", product).status in (200, 201)
    assert scene.ask("POST", f"/products/{sku}/receipts", receipt).status in (200, 201)
    scene.comes_to(scene.place(sku, 2), "COMPLETED")
    scene.is_left(sku, 8)


def receiving(scene: Scene) -> Iterator[None]:
    """Goods arrive, and are told of until that is answered."""
    sku = scene.shop.stock("received", 10)
    receipt = {"quantity": 5, "reason": "delivery", "idempotency_key": ids.new_id()}
    yield
    assert scene.ask("POST", f"/products/{sku}/receipts", receipt).status in (200, 201)
    scene.is_left(sku, 15)


def retried(scene: Scene) -> Iterator[None]:
    """A letter is tried again by itself, once its time has come."""
    context, key = _parked(scene)
    yield
    scene.change(f"UPDATE {context}.parked_keys SET next_try_at = now() WHERE key = :key", key=key)
    scene.is_free_of_letters(context)


def replayed(scene: Scene) -> Iterator[None]:
    """An operator has a letter tried again."""
    context, key = _parked(scene)
    yield
    meant = {"service": context, "filter": {"order_id": key}}
    assert scene.ask("POST", "/operations/dead-letters/replay", meant).status == 200
    scene.is_free_of_letters(context)


def discarded(scene: Scene) -> Iterator[None]:
    """An operator gives a letter up."""
    context, key = _parked(scene)
    yield
    _give_up(scene, context, key)


def _give_up(scene: Scene, context: str, key: str) -> None:
    meant = {"service": context, "filter": {"order_id": key}, "reason": "nobody wants it"}
    assert scene.ask("POST", "/operations/dead-letters/discard", meant).status == 200
    scene.is_free_of_letters(context)


def _parked(scene: Scene) -> tuple[str, str]:
    """A letter: something that was told of a completed order stands there again; its context and its key.

    It is parked by the consumer that the failpoint names, or by the one that is called as its context.
    """
    context, _, rest = scene.point.partition(".")
    consumer = rest.rpartition(".retry.")[0] or context
    sku = scene.shop.stock("parked", 1, supply="SUPPLIER", supplier="simulated", supplier_scenario="ok")
    order_id = scene.place(sku, 2, stock_policy="BACKORDER")
    scene.comes_to(order_id, "COMPLETED")
    key = sku if consumer.endswith(".prices") else order_id
    told = scene.told_of(key, READERS[context])
    letter = Letter(told.topic, 0, 10**9, key, told.id, told.type, told.value, "error", "parked by a test")
    scene.park(context, consumer, letter)
    return context, key


def sweeping(scene: Scene) -> Iterator[None]:
    """What another team's service holds is freed when its time is over."""
    sku = scene.shop.stock("held", 10)
    reservation_id = scene.hold(sku, 2)
    yield
    scene.change("UPDATE inventory.reservations SET sweep_at = now() WHERE id = CAST(:id AS uuid)", id=reservation_id)
    scene.is_left(sku, 10)


def holding(scene: Scene) -> Iterator[None]:
    """Another team's service holds goods."""
    sku = scene.shop.stock("held", 10)
    yield
    reservation_id = scene.hold(sku, 2)
    scene.change("UPDATE inventory.reservations SET sweep_at = now() WHERE id = CAST(:id AS uuid)", id=reservation_id)
    scene.is_left(sku, 10)


def reconciling(scene: Scene) -> Iterator[None]:
    """The provider's books and ours are compared, and say the same."""
    order_id = scene.place(scene.shop.stock("compared", 10), 2)
    yield
    scene.comes_to(order_id, "COMPLETED")
    assert until(lambda: not scene.see("/operations/payments/differences"), seconds=END_SECONDS)


PATHS: Final[Mapping[str, Sequence[Path]]] = {
    "orders.place.": (placing,),
    "orders.consumer.": (placing,),
    "orders.orders.": (placing,),
    "orders.orders.before_commit": (placing, waiting, cancelling, expiring, refunding),
    "orders.orders.prices.": (pricing,),
    "orders.orders.prices.retry.": (retried,),
    "orders.orders.retry.": (retried, replayed),
    "orders.prices.": (pricing,),
    "orders.save.": (placing,),
    "orders.relay.": (placing,),
    "orders.cancel.": (cancelling, calling_off),
    "orders.chase.": (expiring,),
    "orders.refund.": (refunding,),
    "orders.resume.": (resuming,),
    "orders.imports.": (importing,),
    "orders.discard.": (discarded,),
    "orders.forget.": (forgetting,),
    "inventory.consumer.": (placing,),
    "inventory.inventory.": (placing,),
    "inventory.inventory.before_commit": (placing, waiting, calling_off, refunding),
    "inventory.inventory.retry.": (retried,),
    "inventory.relay.": (placing,),
    "inventory.stockroom.": (placing, receiving),
    "inventory.stockroom.before_tell": (placing, receiving, holding, sweeping),
    "inventory.catalogue.": (offering,),
    "inventory.discard.": (discarded,),
    "payments.consumer.": (placing,),
    "payments.payments.": (placing,),
    "payments.payments.before_commit": (placing, expiring),
    "payments.payments.retry.": (retried,),
    "payments.relay.": (placing,),
    "payments.save.": (placing,),
    "payments.call.": (placing,),
    "payments.call.after": (placing, asking, cancelling, refunding),
    "payments.calls.": (placing,),
    "payments.record.": (placing,),
    "payments.record.before_commit": (placing, asking, cancelling, refunding),
    "payments.begin.": (retrying,),
    "payments.command.": (called_back, settling),
    "payments.differences.": (reconciling,),
    "payments.discard.": (discarded,),
    "payments_simulator.": (placing, refunding),
    "suppliers.consumer.": (waiting,),
    "suppliers.suppliers.": (waiting,),
    "suppliers.suppliers.before_commit": (waiting, calling_off),
    "suppliers.suppliers.retry.": (retried,),
    "suppliers.relay.": (waiting,),
    "suppliers.save.": (waiting,),
    "suppliers.call.": (waiting,),
    "suppliers.call.after": (waiting, calling_off),
    "suppliers.calls.": (waiting,),
    "suppliers.record.": (waiting,),
    "suppliers.news.": (delivered,),
    "suppliers.discard.": (discarded,),
    "suppliers_simulator.": (waiting,),
}
"""By how the names of failpoints begin, the paths on which they lie; the longest beginning counts."""


def paths_of(point: str) -> Sequence[Path]:
    """The paths on which a failpoint lies; none for one that nobody has thought of yet."""
    known = [beginning for beginning in PATHS if point.startswith(beginning)]
    return PATHS[max(known, key=len)] if known else ()
