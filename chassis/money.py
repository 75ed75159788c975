"""Money as whole minor units of an ISO 4217 currency; never a float."""

import re
from typing import Final

MAX_MINOR: Final = 9_000_000_000_000_000
"""Larger amounts are refused, so that sums of a thousand of them still fit into 64 bits."""

_AMOUNT = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?")
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENTS: Final = dict.fromkeys(_NO_DECIMALS.split(), 0) | dict.fromkeys(_THREE_DECIMALS.split(), 3)


def exponent(currency: str) -> int:
    """How many decimals the currency has (ISO 4217): 2 unless it is one of the few others."""
    return _EXPONENTS.get(currency, 2)


def parse_amount(text: str, currency: str) -> int:
    """Minor units of a decimal string such as "5.10"; ValueError when it is not one, or has too many decimals."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("must be a decimal number such as 5.10")
    whole, fraction = match[1], match[2] or ""
    places = exponent(currency)
    if len(fraction.rstrip("0")) > places:
        raise ValueError(f"must have at most {places} decimals in {currency}")
    minor = int(whole + fraction[:places].ljust(places, "0"))
    if minor > MAX_MINOR:
        raise ValueError("is too large")
    return minor


def format_amount(minor: int, currency: str) -> str:
    """The decimal string of an amount in minor units, with all decimals of its currency."""
    places = exponent(currency)
    if places == 0:
        return str(minor)
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
