"""Money: what goes in comes out, to the last minor unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import MAX_MINOR, exponent, format_amount, parse_amount

CURRENCIES = st.sampled_from(["GBP", "EUR", "JPY", "KWD"])


@given(st.integers(min_value=0, max_value=MAX_MINOR), CURRENCIES)
def test_an_amount_survives_the_way_out_and_back(minor: int, currency: str) -> None:
    assert parse_amount(format_amount(minor, currency), currency) == minor


@given(st.lists(st.integers(min_value=0, max_value=10**9), max_size=50), CURRENCIES)
def test_the_sum_of_formatted_amounts_is_the_formatted_sum(amounts: list[int], currency: str) -> None:
    parsed = sum(parse_amount(format_amount(amount, currency), currency) for amount in amounts)

    assert format_amount(parsed, currency) == format_amount(sum(amounts), currency)


@given(st.text(max_size=12))
def test_what_is_no_amount_is_refused_and_what_is_one_is_exact(text: str) -> None:
    try:
        minor = parse_amount(text, "GBP")
    except ValueError:
        return
    whole, _, fraction = text.partition(".")
    assert minor == int(whole) * 100 + int(fraction[:2].ljust(2, "0") or "0")


@pytest.mark.parametrize("text", ["", "-1", "1,5", "1.", ".5", "1e3", "NaN", "٣", " 1", "1.005", "9" * 19, "1\n"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|large"):
        parse_amount(text, "GBP")


def test_decimals_follow_the_currency() -> None:
    assert (exponent("GBP"), exponent("JPY"), exponent("KWD")) == (2, 0, 3)
    assert parse_amount("5", "GBP") == 500
    assert parse_amount("5.10", "GBP") == 510
    assert parse_amount("5.100", "GBP") == 510
    assert format_amount(-5, "GBP") == "-0.05"
    assert format_amount(7, "JPY") == "7"
