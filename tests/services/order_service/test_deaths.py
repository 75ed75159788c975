"""An order service killed between any two steps: every order whole or not at all, every fact of it told once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.services.order_service.refunding import a_paid_order, a_refund, refund_of, succeeded
from tests.services.order_service.saga_facts import captured, reserved
from tests.services.order_service.shop import Shop, a_command, shown_of

_ROOT = Path(__file__).parents[3]
_PLACE = ["orders.place.before_insert", "orders.place.after_insert", "orders.place.before_commit"]
_SAVE = ["orders.save.after_orders", "orders.save.after_timeline", "orders.save.after_tell"]
_HEAR = ["orders.orders.before_save", *_SAVE, "orders.orders.before_commit", "orders.orders.after_commit"]
_CANCEL = [*_SAVE, "orders.cancel.before_commit"]
_REFUND = [*_SAVE, "orders.refund.after_rows", "orders.refund.before_commit"]
_EXPIRE = ["orders.save.after_tell", "orders.chase.before_commit"]

Deed = tuple[str, str, bytes]
"""What the process is to do, with which order or key, and what it hears."""


def _start(failpoint: str, url: str, deed: Deed) -> subprocess.Popen[bytes]:
    what, name, heard = deed
    till = subprocess.Popen(
        [sys.executable, "-m", "tests.services.order_service.till", url, what, name],
        cwd=_ROOT,
        env=os.environ | {"FAILPOINT": f"{failpoint}=crash"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert till.stdin is not None
    till.stdin.write(heard)
    till.stdin.close()
    return till


def _kill_at(failpoints: Sequence[str], url: str, deeds: Sequence[Deed]) -> None:
    """A few at once, because a process takes a second to start."""
    waiting = list(zip(failpoints, deeds, strict=True))
    while waiting:
        some, waiting = waiting[:3], waiting[3:]
        tills = {failpoint: _start(failpoint, url, deed) for failpoint, deed in some}
        assert {failpoint: till.wait(60) for failpoint, till in tills.items()} == dict.fromkeys(tills, -signal.SIGKILL)


def _record(shop: Shop, fact: object) -> tuple[tuple[str, str, bytes], Deed]:
    """A fact as it is redelivered, and as the process hears it."""
    topic, key, value = shop.sealed(fact)
    return (topic, key, value), ("hear", key, topic.encode() + b"\n" + value)


def test_an_order_whose_placing_was_cut_off_is_placed_once_by_the_retry(shop: Shop) -> None:
    _kill_at(_PLACE, shop.url, [("place", failpoint, b"") for failpoint in _PLACE])
    assert shop.rows("SELECT 1 FROM orders") == shop.rows("SELECT 1 FROM outbox") == []

    results = shop.ask(*(a_command(failpoint, ("A", 2)) for failpoint in _PLACE))

    assert [result.is_replayed for result in results] == [False] * len(_PLACE)
    assert all(shop.told(shown_of(result).standing.id) == ["OrderPlaced"] for result in results)


@pytest.mark.parametrize(
    ("before", "fact", "told"),
    [
        ([], reserved, ["OrderPlaced", "PaymentRequested"]),
        ([reserved], captured, ["OrderPlaced", "PaymentRequested", "OrderCompleted"]),
    ],
    ids=["reserved", "captured"],
)
def test_a_fact_whose_hearing_was_cut_off_has_its_effect_once_when_it_comes_again(
    shop: Shop, before: list[Callable[[str], object]], fact: Callable[[str], object], told: list[str]
) -> None:
    orders = [shop.place() for _ in _HEAR]
    for earlier in before:
        shop.hear(*(earlier(order_id) for order_id in orders))  # type: ignore[arg-type]
    records, deeds = zip(*(_record(shop, fact(order_id)) for order_id in orders), strict=True)
    _kill_at(_HEAR, shop.url, deeds)

    shop.deliver(*records)

    assert {step: shop.told(order_id) for step, order_id in zip(_HEAR, orders, strict=True)} == dict.fromkeys(
        _HEAR, told
    )
    assert {shop.order(order_id).version for order_id in orders} == {len(shop.steps(orders[0]))}
    assert shop.letters() == []


def test_a_cancel_that_was_cut_off_leaves_the_order_as_it_was_and_may_be_repeated(shop: Shop) -> None:
    orders = [shop.place() for _ in _CANCEL]
    _kill_at(_CANCEL, shop.url, [("cancel", order_id, b"") for order_id in orders])
    assert {shop.status(order_id) for order_id in orders} == {"PENDING"}

    shop.cancel(*orders)

    assert all(shop.told(order_id) == ["OrderPlaced", "OrderCancelling"] for order_id in orders)


def test_a_refund_that_was_cut_off_leaves_nothing_and_is_asked_for_once_by_the_retry(shop: Shop) -> None:
    orders = [a_paid_order(shop) for _ in _REFUND]
    _kill_at(_REFUND, shop.url, [("refund", order_id, b"") for order_id in orders])
    assert shop.rows("SELECT 1 FROM refunds") == []

    results = shop.refund(*(a_refund(order_id, "r1", 200) for order_id in orders))

    assert [result.is_replayed for result in results] == [False] * len(orders)
    assert {shop.told(order_id).count("RefundRequested") for order_id in orders} == {1}


def test_a_refund_whose_outcome_was_cut_off_is_booked_once_when_it_comes_again(shop: Shop) -> None:
    failpoints = [*_HEAR, "orders.refund.after_rows"]
    orders = [a_paid_order(shop) for _ in failpoints]
    refunds = [refund_of(result) for result in shop.refund(*(a_refund(order_id, "r1", 200) for order_id in orders))]
    facts = [succeeded(order_id, refund_id, 200) for order_id, refund_id in zip(orders, refunds, strict=True)]
    records, deeds = zip(*(_record(shop, fact) for fact in facts), strict=True)
    _kill_at(failpoints, shop.url, deeds)

    shop.deliver(*records)

    assert {shop.order(order_id).refunded_minor for order_id in orders} == {200}
    assert {shop.told(order_id).count("OrderRefunded") for order_id in orders} == {1}
    assert shop.letters() == []


def test_an_expiry_that_was_cut_off_is_asked_for_by_the_next_instance(shop: Shop) -> None:
    order_id = shop.place()
    shop.hear(reserved(order_id, seconds=-1))
    for failpoint in _EXPIRE:
        assert _start(failpoint, shop.url, ("expire", order_id, b"")).wait(60) == -signal.SIGKILL
        assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested"]
    assert _start("none", shop.url, ("expire", order_id, b"")).wait(60) == 0
    assert shop.told(order_id) == ["OrderPlaced", "PaymentRequested", "PaymentGiveUpRequested"]
