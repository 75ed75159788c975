"""What suppliers tell without being asked, on real Postgres: whichever comes first wins, and once."""

from collections.abc import Callable

import pytest

from chassis import ids
from supplier_service.domain import Accepted, Delivered, Failed
from supplier_service.queries import SupplierOrderNotFound
from tests.services.supplier_service.desk import Desk, goods_requested
from tests.waiting import until


@pytest.fixture
def slow(a_desk: Callable[..., Desk]) -> Desk:
    """An instance that would check after a minute."""
    return a_desk(check_seconds=60)


def accepted(desk: Desk) -> tuple[str, str]:
    """An order with a supplier order that was accepted, and the latter's id."""
    order = ids.new_id()
    desk.hear(goods_requested(order))
    assert until(lambda: desk.statuses(order) == {"85123A": "ACCEPTED"})
    return order, desk.reference(order)


@pytest.mark.parametrize("prefix", ["", "sim-"])
def test_news_name_our_id_or_the_suppliers_reference(slow: Desk, prefix: str) -> None:
    order, reference = accepted(slow)

    assert slow.news((prefix + reference, Delivered())) == [True]

    assert slow.told(order) == ["Accepted", "Delivered"]
    assert slow.open_calls() == 0


def test_news_come_before_the_answer_to_the_request(a_desk: Callable[..., Desk]) -> None:
    desk, order = a_desk(is_open=False), ids.new_id()
    desk.hear(goods_requested(order))

    assert desk.news((desk.reference(order), Delivered())) == [True]
    desk.open()

    assert until(lambda: desk.open_calls() == 0)
    assert desk.told(order) == ["Delivered"]


def test_repeats_change_nothing_be_they_in_one_batch_or_in_several(slow: Desk) -> None:
    order, reference = accepted(slow)

    assert slow.news(*[(reference, Delivered())] * 3) == [True, False, False]
    assert slow.news((reference, Delivered()), (reference, Failed("Sorry."))) == [False, False]

    assert slow.told(order) == ["Accepted", "Delivered"]


def test_a_check_that_is_answered_after_the_news_changes_nothing(desk: Desk) -> None:
    order = ids.new_id()
    desk.hear(goods_requested(order, scenario="delayed_forever"))
    assert until(lambda: "Delayed" in desk.told(order))

    desk.news((desk.reference(order), Delivered()))

    assert until(lambda: desk.open_calls() == 0)
    assert desk.told(order)[-1] == "Delivered"
    assert desk.told(order).count("Delivered") == 1


def test_what_nobody_knows_or_another_supplier_has_is_refused_and_its_neighbours_are_taken(slow: Desk) -> None:
    order, reference = accepted(slow)

    unknown, taken = slow.news((ids.new_id(), Delivered()), (reference, Accepted("r-1")))
    [others] = slow.news((reference, Delivered()), supplier="bolt")

    assert isinstance(unknown, SupplierOrderNotFound)
    assert isinstance(others, SupplierOrderNotFound)
    assert not taken
    assert slow.statuses(order) == {"85123A": "ACCEPTED"}
