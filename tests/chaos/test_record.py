"""What customers were told is held against the books, and a broken word is noticed."""

import pytest

from tests.chaos.load import Wish
from tests.chaos.processes import Weight, grown, miscounted
from tests.chaos.record import Record
from tests.end_to_end.shop import Answer

ID = "00000000-0000-7000-8000-000000000001"
OTHER = "00000000-0000-7000-8000-000000000002"


def a_wish(*told: tuple[int, str], cancels: tuple[tuple[int, str], ...] = ()) -> Wish:
    return Wish("k", "c", [("A", 1)], {}, list(told), list(cancels))


def an_order(**changes: object) -> dict[str, object]:
    order = {"id": ID, "idempotency_key": "k", "customer_id": "c", "status": "COMPLETED", "failure_code": None,
             "lines": 1}  # fmt: skip
    return order | changes


def names(wish: Wish, *orders: dict[str, object]) -> list[str]:
    return [name[:2] for name in Record(orders, [wish]).broken()]


def test_a_word_that_was_kept_breaks_nothing() -> None:
    assert names(a_wish((0, ""), (503, ""), (202, ID), (200, ID)), an_order()) == []
    assert names(a_wish((0, ""))) == []
    assert names(a_wish((0, "")), an_order()) == []


@pytest.mark.parametrize("orders", [[], [an_order(id=OTHER)]])
def test_an_order_that_was_answered_for_and_is_not_there_is_lost(orders: list[dict[str, object]]) -> None:
    assert names(a_wish((201, ID)), *orders) == ["I8"]


def test_an_order_with_other_lines_than_were_asked_for_is_torn() -> None:
    assert names(a_wish((201, ID)), an_order(lines=2)) == ["I8"]


def test_two_ids_for_one_key_are_noticed() -> None:
    assert names(a_wish((201, ID), (201, OTHER)), an_order()) == ["I9"]


@pytest.mark.parametrize("cancel", [(200, "CANCELLED"), (202, "CANCELLING")])
def test_a_cancel_that_was_promised_is_kept(cancel: tuple[int, str]) -> None:
    assert names(a_wish((201, ID), cancels=(cancel,)), an_order()) == ["I8"]
    assert names(a_wish((201, ID), cancels=(cancel,)), an_order(status="CANCELLED")) == []
    assert names(a_wish((201, ID), cancels=((422, ""),)), an_order()) == []


def repeated(order: dict[str, object], status: int, named: str = ID, replayed: str = "true") -> bool:
    body = {"order_id": named} if status == 409 else {"data": {"id": named}}
    answer = Answer(status, body, {"idempotent-replayed": replayed})
    return not Record([order], []).broken_repeats({"k": answer})


def test_a_repeat_is_told_what_the_order_has_earned() -> None:
    assert repeated(an_order(), 200)
    assert repeated(an_order(failure_code="insufficient_stock"), 409)
    assert not repeated(an_order(), 409)
    assert not repeated(an_order(failure_code="insufficient_stock"), 200)
    assert not repeated(an_order(), 200, named=OTHER)
    assert not repeated(an_order(), 200, replayed="false")
    assert not repeated(an_order(), 201)


PAGE = """
orders_consumer_received_total{consumer="orders"} 10.0
orders_consumer_events_total{consumer="orders",fate="applied"} 6.0
orders_consumer_events_total{consumer="orders",fate="duplicate"} 2.0
orders_consumer_events_total{consumer="orders",fate="ignored"} 1.0
orders_consumer_events_total{consumer="orders",fate="parked"} PARKED
orders_consumer_events_total{consumer="orders",fate="ignored_on_retry"} 7.0
"""


def test_a_consumer_that_does_not_account_for_what_it_received_is_noticed() -> None:
    assert miscounted(PAGE.replace("PARKED", "1.0")) == []
    [wrong] = miscounted(PAGE.replace("PARKED", "0.0"))
    assert (wrong["consumer"], wrong["received"], wrong["fates"]) == ("orders", 10, 9)


def test_a_process_that_does_not_return_to_its_baseline_is_noticed() -> None:
    before = {"order_service": Weight(100, 20, 50)}
    assert not grown(before, {"order_service": Weight(150, 25, 60)})
    for heavy in (Weight(400, 20, 50), Weight(100, 80, 50), Weight(100, 20, 500)):
        assert grown(before, {"order_service": heavy})
