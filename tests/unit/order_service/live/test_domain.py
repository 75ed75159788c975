"""Positions in the stream, and what changes are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_service.domain import Status
from order_service.live.domain import NAMES, Position, name_of, position_of

ORDER_ID = "0190b6b2-8a3c-7d41-9f52-3f1f0c9d2a11"


@given(st.integers(0, 10**18 - 1), st.uuids(), st.integers(1, 10**9 - 1))
def test_a_position_is_read_as_it_was_written(transaction: int, order_id: object, version: int) -> None:
    for position in (Position(transaction), Position(transaction, str(order_id), version)):
        assert position_of(str(position)) == position


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    position = position_of(text)
    assert position is None or position_of(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-2", "1-2-3", f"1-{ORDER_ID}", f"1-{ORDER_ID}-", f"1-{ORDER_ID}-1\n", "١", "9" * 19]
)
def test_what_is_none_of_ours_is_no_position(text: str) -> None:
    assert position_of(text) is None


def test_positions_grow_with_transaction_order_and_version() -> None:
    later = ORDER_ID.replace("0190", "0191")
    order = [Position(7), Position(7, ORDER_ID, 1), Position(7, ORDER_ID, 2), Position(7, later, 1), Position(8)]
    assert sorted(order) == order


def test_every_status_has_a_name() -> None:
    assert NAMES.keys() == {*Status}


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("5.00 GBP was given back.", "OrderRefunded"),
        ("500 JPY was given back.", "OrderRefunded"),
        ("A refund of 5.00 GBP was asked for: 5.00 GBP was given back.", "OrderAttention"),
        ("The money was given back.", "OrderAttention"),
        ("5.00 GBP was given back. Or was it?", "OrderAttention"),
    ],
)
def test_what_changes_an_order_where_it_stands(reason: str, name: str) -> None:
    assert name_of("COMPLETED", "COMPLETED", reason) == name
