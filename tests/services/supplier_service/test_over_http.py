"""Suppliers over HTTP, as unreliable as they come: the goods are ordered once, and come once."""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from chassis import ids
from supplier_service.simulator.journal import SCHEMA
from tests.services.supplier_service.desk import Desk, goods_requested
from tests.services.supplier_service.door import Door
from tests.services.supplier_service.served import SECRET, served_suppliers
from tests.simulators import Served
from tests.waiting import until

_PATIENCE: Final = 60.0


@pytest.fixture
def suppliers(urls: dict[str, str]) -> Iterator[Served]:
    with served_suppliers(urls[SCHEMA]) as served:
        yield served


def end_of(desk: Desk, orders: list[str]) -> bool:
    return until(lambda: not desk.open_calls() and all(desk.statuses(order) for order in orders), _PATIENCE)


@pytest.mark.parametrize("misbehaviour", ["errors", "timeouts_before", "timeouts_after", "garbage"])
def test_whatever_goes_wrong_with_half_of_all_questions_the_goods_are_ordered_and_delivered_once(
    a_desk: Callable[..., Desk], suppliers: Served, misbehaviour: str
) -> None:
    desk, orders = a_desk(address=suppliers.url), [ids.new_id() for _ in range(6)]
    suppliers.behave(**{misbehaviour: 50})

    desk.hear(*map(goods_requested, orders))
    assert until(lambda: any("Accepted" in desk.told(order) for order in orders), _PATIENCE)
    suppliers.behave()

    assert end_of(desk, orders)
    told = [[name for name in desk.told(order) if name != "Unreachable"] for order in orders]
    assert told == [["Accepted", "Delivered"]] * 6
    assert [entry[0] for entry in desk.entries()] == ["delivered"] * 6


def test_a_supplier_that_is_away_is_unreachable_until_it_is_back(
    a_desk: Callable[..., Desk], suppliers: Served
) -> None:
    desk, order = a_desk(address=suppliers.url), ids.new_id()
    suppliers.stop()

    desk.hear(goods_requested(order))
    assert until(lambda: "Unreachable" in desk.told(order))
    assert desk.statuses(order) == {"85123A": "REQUESTED"}
    suppliers.start()

    assert end_of(desk, [order])
    assert desk.told(order)[-2:] == ["Accepted", "Delivered"]


def test_what_fails_for_good_is_accepted_and_never_comes(a_desk: Callable[..., Desk], suppliers: Served) -> None:
    desk, order = a_desk(address=suppliers.url), ids.new_id()
    suppliers.behave(failures=100)

    desk.hear(goods_requested(order))

    assert end_of(desk, [order])
    assert desk.told(order) == ["Accepted", "Failed"]


def test_late_doubled_and_forged_webhooks_bring_the_goods_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    door, orders = Door(SECRET), [ids.new_id() for _ in range(8)]
    with Served(lambda switch: door) as shop, served_suppliers(urls[SCHEMA], door=shop.url) as suppliers:
        desk = door.desk = a_desk(check_seconds=60, address=suppliers.url)
        suppliers.behave(webhooks_duplicated=100, webhooks_reordered=50, webhooks_forged=100, webhooks_delayed_ms=100)

        desk.hear(*(goods_requested(order, scenario="webhook_ok:1") for order in orders))

        assert until(lambda: sum(door.met.values()) - door.met["unknown"] == 3 * 8, _PATIENCE)
        assert (door.met["applied"], door.met["repeated"], door.met["forged"]) == (8, 8, 8)
        assert all(desk.told(order) == ["Accepted", "Delivered"] for order in orders)
        assert [entry[0] for entry in desk.entries()] == ["delivered"] * 8


def test_a_delivery_that_was_promised_before_a_restart_is_told_after_it(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    door, order = Door(SECRET), ids.new_id()
    with Served(lambda switch: door) as shop, served_suppliers(urls[SCHEMA], door=shop.url) as suppliers:
        desk = door.desk = a_desk(check_seconds=60, address=suppliers.url)
        desk.hear(goods_requested(order, scenario="webhook_ok:1"))
        assert until(lambda: desk.statuses(order) == {"85123A": "ACCEPTED"})

        suppliers.stop()
        assert desk.entries() == [("accepted", 1, 0)]
        suppliers.start()

        assert until(lambda: desk.statuses(order) == {"85123A": "DELIVERED"})
        assert door.met["applied"] == 1


def test_who_brings_no_token_is_answered_nothing(a_desk: Callable[..., Desk], urls: dict[str, str]) -> None:
    with served_suppliers(urls[SCHEMA], token="between us and them") as suppliers:
        desk, order = a_desk(address=suppliers.url), ids.new_id()

        desk.hear(goods_requested(order))

        assert until(lambda: "Unreachable" in desk.told(order))
        assert desk.entries() == []
