"""The paths of operators, of other teams and of time: each makes ready, yields, and goes to its end."""

from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP

from chassis import ids
from chassis.dead_letters import Letter
from tests.chaos.customers_paths import notice_of, told, waiting_long
from tests.chaos.scene import END_SECONDS, Scene
from tests.chaos.topics import READERS
from tests.end_to_end.shop import Answer
from tests.waiting import until


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


def resuming(scene: Scene) -> Iterator[None]:
    """An operator has a waiting order asked for again."""
    order_id, sku = waiting_long(scene)
    yield
    assert scene.ask("POST", f"/operations/orders/{order_id}/resume", {}).status == 200
    scene.goods_come(order_id)
    scene.comes_to(order_id, "COMPLETED")
    scene.is_left(sku, 0)


def settling(scene: Scene) -> Iterator[None]:
    """The provider speaks of another amount than was paid, and an operator finds that all is well."""
    order_id = scene.place(scene.shop.stock("disputed", 5), 1)
    scene.comes_to(order_id, "COMPLETED")
    notice = notice_of(scene, order_id)
    assert told(scene, {**notice, "amount_minor": 25_500}).status == 202
    yield
    decision = {"outcome": "CAPTURED", "evidence": "the provider's statement", "provider_reference": "r-1"}
    assert scene.ask("POST", f"/operations/payments/{notice['key']}/settle", decision).status == 200
    scene.comes_to(order_id, "COMPLETED", attention=None)


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


def holding(scene: Scene) -> Iterator[None]:
    """Another team's service holds goods."""
    sku = scene.shop.stock("held", 10)
    yield
    reservation_id = scene.hold(sku, 2)
    scene.change("UPDATE inventory.reservations SET sweep_at = now() WHERE id = CAST(:id AS uuid)", id=reservation_id)
    scene.is_left(sku, 10)


def sweeping(scene: Scene) -> Iterator[None]:
    """What another team's service holds is freed when its time is over."""
    sku = scene.shop.stock("held", 10)
    reservation_id = scene.hold(sku, 2)
    yield
    scene.change("UPDATE inventory.reservations SET sweep_at = now() WHERE id = CAST(:id AS uuid)", id=reservation_id)
    scene.is_left(sku, 10)


def reconciling(scene: Scene) -> Iterator[None]:
    """The provider's books and ours are compared, and say the same."""
    order_id = scene.place(scene.shop.stock("compared", 10), 2)
    yield
    scene.comes_to(order_id, "COMPLETED")
    assert until(lambda: not scene.see("/operations/payments/differences"), seconds=END_SECONDS)


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
