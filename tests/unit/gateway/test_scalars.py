"""Single values."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.scalars import read_text, read_time, reader_of, text_reader_of, whole_between
from gateway.rest.wrong import Wrong
from protos.inventory.v1 import inventory_pb2
from protos.orders.v1 import imports_pb2, orders_pb2

ORDER: dict[str, Any] = dict(orders_pb2.Order.DESCRIPTOR.fields_by_name)
IMPORT: dict[str, Any] = dict(imports_pb2.Import.DESCRIPTOR.fields_by_name)


def complaint(read: Callable[[Any], Any], value: object) -> str:
    with pytest.raises(Wrong) as refused:
        read(value)
    return refused.value.errors[""][0]


@pytest.mark.parametrize("value", [1.0, True, "1", None, [], 2.5])
def test_only_whole_numbers_are_whole_numbers(value: object) -> None:
    assert complaint(whole_between(0, 9), value) == "must be a whole number"


@pytest.mark.parametrize("value", [-1, 10, 10**18, 1e30])
def test_numbers_out_of_range_are_told_the_range(value: object) -> None:
    assert complaint(whole_between(0, 9), value) == "must be between 0 and 9"


def test_ascii_text_is_trimmed() -> None:
    assert read_text(" \u2003 a b ") == "a b"
    assert read_text("a\n") == "a\n", "a control character is refused by its field's rule"


def test_other_text_is_composed() -> None:
    assert read_text("\u00a0Zoe\u0308\u3000") == "Zo\u00eb"


def test_control_characters_inside_of_text_are_left_for_the_service_to_refuse() -> None:
    assert read_text("a\x00b") == "a\x00b"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00.25z", datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00+05:30", datetime(2026, 1, 31, 6, 30, tzinfo=UTC)),
        ("1969-12-31T23:59:59Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_are_moments_in_utc(text: str, moment: datetime) -> None:
    read = read_time(text)

    assert read["seconds"] == int(moment.timestamp())
    assert read["nanos"] == moment.microsecond * 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "20260131T120000Z",
        "2026-01-31T12:00:00.Z",
        7,
        None,
    ],
)
def test_other_forms_of_time_are_refused(text: object) -> None:
    assert complaint(read_time, text).startswith("must be a time")


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "0001-01-01T00:00:00+10:00"])
def test_moments_that_do_not_exist_are_refused(text: str) -> None:
    assert complaint(read_time, text) == "names no moment of the calendar"


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_moment_is_read_back(moment: datetime) -> None:
    read = read_time(moment.isoformat())

    assert datetime.fromtimestamp(read["seconds"], UTC).replace(microsecond=read["nanos"] // 1000) == moment


def test_enums_are_read_by_their_bare_names() -> None:
    read = reader_of(ORDER["status"])

    assert read("AWAITING_RESTOCK") == orders_pb2.ORDER_STATUS_AWAITING_RESTOCK
    for unknown in ("awaiting_restock", "UNSPECIFIED", "ORDER_STATUS_PENDING", "", 1, None):
        assert complaint(read, unknown).startswith("must be one of PENDING, AWAITING_RESTOCK")


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("false", False)])
def test_flags_in_a_query_are_words(text: str, flag: bool) -> None:
    assert text_reader_of(IMPORT["dry_run"])(text) is flag


@pytest.mark.parametrize("text", ["1", "True", "yes", ""])
def test_other_words_are_no_flags(text: str) -> None:
    assert complaint(text_reader_of(IMPORT["dry_run"]), text) == "must be true or false"


@pytest.mark.parametrize("text", ["", "1.0", "1e3", " 1", "+1", "0x1", "١"])
def test_whole_numbers_in_a_query_are_digits(text: str) -> None:
    assert complaint(text_reader_of(IMPORT["rows"]), text) == "must be a whole number"


def test_numbers_in_a_query_may_have_fractions_but_must_be_finite() -> None:
    read = text_reader_of(IMPORT["seconds"])

    assert (read("1.5"), read("-2")) == (1.5, -2)
    for text in ("nan", "inf", "1e999", "one"):
        assert complaint(read, text) == "must be a number"


def test_a_price_is_text_and_never_a_number() -> None:
    price: Any = inventory_pb2.PutProductRequest.DESCRIPTOR.fields_by_name["price"]

    assert reader_of(price)("2.50") == "2.50"
    assert complaint(reader_of(price), 2.5) == "must be a string"
