"""A kill between every two steps of an order's life: nothing is lost, nothing happens twice."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import Stack
from tests.end_to_end.books import Books
from tests.end_to_end.shop import Shop
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CALL = re.compile(r"failpoint\((f?)\"([^\"]+)\"\)")
OFF_THE_HAPPY_PATH = (
    "orders.cancel.",
    "orders.chase.",
    "orders.imports.",
    "orders.refund.",
    "orders.resume.",
    "inventory.catalogue.",
    "payments.begin.",
    "payments.command.",
)
"""Steps of other paths, with tests of their own."""

CHASSIS = (
    "{context}.relay.before_send",
    "{context}.relay.after_send",
    "{context}.{context}.before_save",
    "{context}.{context}.before_commit",
    "{context}.{context}.after_commit",
    "{context}.consumer.before_apply",
    "{context}.consumer.before_offset_commit",
)
CALLS = ("payments.calls.before_call", "payments.calls.after_call", "payments.calls.before_record_commit")


def failpoints_of(service: str, context: str) -> list[str]:
    """Every failpoint that an order passes in this service."""
    own = [
        name
        for path in sorted((ROOT / service).rglob("*.py"))
        for is_made_up, name in CALL.findall(path.read_text())
        if not is_made_up and not name.startswith(OFF_THE_HAPPY_PATH)
    ]
    shared = [name.format(context=context) for name in CHASSIS]
    return [*own, *shared, *(CALLS if context == "payments" else ())]


@pytest.fixture
def books(stack: Stack) -> Iterator[Books]:
    opened = Books(stack)
    yield opened
    opened.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("service", "context"),
    [("order_service", "orders"), ("inventory_service", "inventory"), ("payment_service", "payments")],
)
def test_a_service_killed_at_every_step_finishes_every_order_once(
    stack: Stack, books: Books, tmp_path: Path, service: str, context: str
) -> None:
    shop = Shop(stack)
    skus = [shop.stock("crash", 1_000) for _ in range(3)]
    names = failpoints_of(service, context)
    stack.take_down(service)
    armed = {"FAILPOINT": ",".join(f"{name}=crash" for name in names), "FAILPOINT_ONCE": str(tmp_path)}
    placed: list[str] = []

    stack.bring_up(service, armed)
    all_fired = until(lambda: _place_and_look(shop, skus, placed, tmp_path, names), seconds=300, every=0.05)
    stack.take_down(service)
    stack.bring_up(service)

    assert all_fired, f"never passed: {sorted(set(names) - {path.name for path in tmp_path.iterdir()})}"
    assert until(lambda: books.statuses(placed) == {"COMPLETED": len(placed)}, seconds=60), books.statuses(placed)
    assert until(lambda: not books.broken(), seconds=20), books.broken()
    assert until(lambda: _sold(shop, skus) == 6 * len(placed)), _sold(shop, skus)


def _place_and_look(shop: Shop, skus: list[str], placed: list[str], fired: Path, names: list[str]) -> bool:
    """Place one more order, and say whether every failpoint has fired."""
    if len(placed) < 300:
        placed.append(shop.place_stubbornly([(skus[0], 1), (skus[1], 2), (skus[2], 3)]))
    return {path.name for path in fired.iterdir()} >= set(names)


def _sold(shop: Shop, skus: list[str]) -> int:
    """Inventory hears of a sale a moment after the order is COMPLETED."""
    return sum(1_000 - int(shop.call("GET", f"/inventory/{sku}").data["on_hand"]) for sku in skus)
