"""What a row must be, what makes an invoice an order, and in which order the questions are asked."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import MAX_MINOR
from order_service.imports.domain import (
    MAX_LINES,
    AcceptedInvoice,
    Identity,
    StagedRow,
    fingerprint_of,
    identity_key,
    judge_invoice,
    read_price,
    read_quantity,
    read_row,
    sort_out,
)

GOOD = ["536365", "85123A", "WHITE HANGING HEART", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"]


def a_row(**changes: Any) -> StagedRow:
    return read_row(2, GOOD, "GBP")._replace(**changes)


def reason_of(place: int, cell: str) -> str | None:
    return read_row(2, [*GOOD[:place], cell, *GOOD[place + 1 :]], "GBP").reason


def an_order(**changes: Any) -> AcceptedInvoice:
    found = judge_invoice("536365", [a_row(**changes)])
    assert isinstance(found, AcceptedInvoice)
    return found


def test_a_good_row_is_read_whole() -> None:
    assert read_row(2, GOOD, "GBP") == StagedRow(
        line=2,
        invoice="536365",
        sku="85123A",
        name="WHITE HANGING HEART",
        quantity=6,
        unit_price_minor=255,
        placed_at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
        customer_id="17850",
        country="United Kingdom",
        reason=None,
    )


@pytest.mark.parametrize(
    ("place", "cell", "reason"),
    [
        (0, "", "InvoiceNo is missing"),
        (0, "x" * 65, "InvoiceNo is longer than 64 characters"),
        (1, " ", "StockCode is missing"),
        (1, "x" * 65, "StockCode is longer than 64 characters"),
        (2, "x" * 256, "Description is longer than 255 characters"),
        (2, "two\nlines", "Description contains control characters"),
        (3, "", "Quantity is missing"),
        (3, "-1", "Quantity is -1, not at least 1"),
        (3, "0", "Quantity is 0, not at least 1"),
        (3, "1.5", "Quantity is not a whole number"),
        (3, "1e3", "Quantity is not a whole number"),
        (3, "٣", "Quantity is not a whole number"),
        (3, "1000001", "Quantity is more than 1,000,000"),
        (4, "", "InvoiceDate is missing"),
        (4, "2010-13-01 08:26:00", "InvoiceDate is not a date such as 2010-12-01 08:26:00"),
        (5, "", "UnitPrice is missing"),
        (5, "-0.01", "UnitPrice is below 0"),
        (5, "0.001", "UnitPrice has more than 2 decimals"),
        (5, "2.550", "UnitPrice has more than 2 decimals"),
        (5, "NaN", "UnitPrice is not a decimal number"),
        (5, "1,50", "UnitPrice is not a decimal number"),
        (5, "99999999999999", "UnitPrice is too large"),
        (6, "", "CustomerID is missing"),
        (6, "a\x00b", "CustomerID contains control characters"),
        (6, "x" * 256, "CustomerID is longer than 255 characters"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_says_which(place: int, cell: str, reason: str) -> None:
    assert reason_of(place, cell) == reason


def test_a_row_says_all_that_is_wrong_with_it() -> None:
    row = read_row(7, ["1", "A", "a", "-1", "2010-12-01", "x", "", ""], "GBP")
    assert row.reason == "Quantity is -1, not at least 1; UnitPrice is not a decimal number; CustomerID is missing"


@pytest.mark.parametrize("cell", ["0", "0.00", "-0.00"])
def test_a_gift_may_cost_nothing(cell: str) -> None:
    assert reason_of(5, cell) is None


def test_a_line_without_description_is_called_by_its_sku() -> None:
    assert read_row(2, [*GOOD[:2], "", *GOOD[3:]], "GBP").name == "85123A"


def test_texts_are_trimmed_and_composed() -> None:
    row = read_row(2, [" 1 ", " A ", "Cafe\u0301 ", " 6", GOOD[4], " 2.55 ", " c ", ""], "GBP")
    assert (row.invoice, row.sku, row.name, row.quantity, row.unit_price_minor, row.customer_id) == (
        "1", "A", "Caf\u00e9", 6, 255, "c",
    )  # fmt: skip
    assert row.reason is None


def test_decimals_are_those_of_the_currency() -> None:
    assert read_price("12", 0) == (12, "")
    assert read_price("1.5", 0) == (None, "UnitPrice has more than 0 decimals")
    assert read_price("1.125", 3) == (1125, "")


@given(st.text(max_size=20))
def test_a_quantity_is_accepted_exactly_when_it_is_a_whole_number_of_at_least_one(text: str) -> None:
    pieces, reason = read_quantity(text)
    is_whole = text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000
    assert (pieces is not None, reason == "") == (is_whole, is_whole)
    assert pieces is None or pieces == int(text)


@given(st.decimals(min_value=0, max_value=10**12, places=2), st.integers(0, 2))
def test_a_price_keeps_its_exact_value(price: Decimal, places: int) -> None:
    text = f"{price:.{places}f}"
    assert read_price(text, 2) == (int(Decimal(text) * 100), "")


@given(st.lists(st.text(max_size=300), min_size=8, max_size=8))
def test_no_row_however_odd_breaks_the_reader(cells: list[str]) -> None:
    row = read_row(2, cells, "GBP")
    texts = (row.invoice, row.sku, row.name, row.customer_id, row.country)
    assert not any(ord(character) < 32 or ord(character) == 127 for text in texts for character in text)
    assert row.reason is not None or (
        row.quantity and row.unit_price_minor is not None and row.placed_at and row.customer_id
    )


def test_an_invoice_with_one_bad_row_is_rejected_whole() -> None:
    rows = [a_row(line=2), a_row(line=3, reason="CustomerID is missing"), a_row(line=4)]
    assert judge_invoice("536365", rows) == "line 3 of the same invoice is rejected"


def test_an_invoice_that_comes_to_nothing_is_rejected() -> None:
    assert judge_invoice("1", [a_row(unit_price_minor=0)]) == "the invoice comes to 0"


def test_an_invoice_that_cannot_be_booked_is_rejected() -> None:
    rows = [a_row(unit_price_minor=MAX_MINOR, quantity=1_000_000)]
    assert judge_invoice("1", rows) == "the invoice comes to more than can be booked"


def test_an_invoice_of_two_customers_is_rejected() -> None:
    rows = [a_row(), a_row(line=3, customer_id="13047")]
    assert judge_invoice("1", rows) == "the invoice names more than one customer"


def test_an_invoice_has_at_most_five_thousand_lines() -> None:
    rows = [a_row(line=line) for line in range(2, MAX_LINES + 2)]
    assert isinstance(judge_invoice("1", rows), AcceptedInvoice)
    assert judge_invoice("1", [*rows, a_row()]) == "the invoice has more than 5,000 lines"


def test_an_order_is_placed_when_its_first_line_was() -> None:
    early, late = datetime(2010, 12, 1, 8, tzinfo=UTC), datetime(2010, 12, 1, 9, tzinfo=UTC)
    found = judge_invoice("1", [a_row(placed_at=late), a_row(line=3, placed_at=early)])
    assert isinstance(found, AcceptedInvoice)
    assert found.placed_at == early


def test_lines_of_one_sku_stay_apart_and_in_order() -> None:
    found = judge_invoice("1", [a_row(quantity=1), a_row(line=3, quantity=2)])
    assert isinstance(found, AcceptedInvoice)
    assert [line.quantity for line in found.lines] == [1, 2]


@given(st.permutations([a_row(line=line, sku=sku) for line, sku in enumerate("ABCA", 2)]))
def test_the_fingerprint_does_not_depend_on_the_order_of_rows(rows: list[StagedRow]) -> None:
    assert fingerprint_of(rows) == fingerprint_of(sorted(rows))


@pytest.mark.parametrize(
    "change",
    [
        {"sku": "X"}, {"name": "X"}, {"quantity": 7}, {"unit_price_minor": 256}, {"customer_id": "X"}, {"country": "X"},
        {"placed_at": datetime(2010, 12, 2, tzinfo=UTC)},
    ],
)  # fmt: skip
def test_the_fingerprint_covers_all_that_a_row_says(change: dict[str, Any]) -> None:
    assert fingerprint_of([a_row()]) != fingerprint_of([a_row(**change)])


def test_an_invoice_imported_before_is_accepted_again_whatever_the_catalogue_says_now() -> None:
    order = an_order()
    verdicts = sort_out({"1": order}, {"1": Identity("id", order.fingerprint)}, {})
    assert verdicts.accepted == [order]


def test_an_invoice_imported_before_with_other_content_is_rejected_and_named() -> None:
    verdicts = sort_out({"1": an_order()}, {"1": Identity("0190b6b2", "another")}, {"85123A": True})
    assert verdicts.rejected == {"1": "this invoice was imported before with other content, as order 0190b6b2"}


def test_a_product_that_cannot_be_ordered_rejects_its_row_by_name_and_the_others_with_it() -> None:
    judged = {
        "1": judge_invoice(
            "1", [a_row(line=2, sku="SOLD"), a_row(line=3, sku="UNKNOWN"), a_row(line=4, sku="WITHDRAWN")]
        )
    }
    verdicts = sort_out(judged, {}, {"SOLD": True, "WITHDRAWN": False})
    assert verdicts.accepted == []
    assert verdicts.rejected == {"1": "line 3 of the same invoice is rejected"}
    assert verdicts.row_reasons == {3: "there is no product UNKNOWN", 4: "product WITHDRAWN is not sold any more"}


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_different_identities_have_different_keys(source: str, invoice: str, other: str, number: str) -> None:
    assert (identity_key(source, invoice) == identity_key(other, number)) == ((source, invoice) == (other, number))


def test_cells_as_long_as_a_file_are_not_remembered() -> None:
    before = [reader.cache_info().currsize for reader in (read_quantity, read_price)]
    for place in range(3):
        row = read_row(
            2, [*GOOD[:3], f"{place}" + "7" * 100_000, GOOD[4], "1" * 100_000 + f".{place}", *GOOD[6:]], "GBP"
        )
        assert row.reason == "Quantity is not a whole number; UnitPrice is not a decimal number"
    after = [reader.cache_info().currsize for reader in (read_quantity, read_price)]
    assert after[1] - before[1] <= 1
