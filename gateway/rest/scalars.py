"""Single values: what JSON or text may stand for a protobuf scalar, enum or timestamp."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from unicodedata import normalize

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway.rest.fields import bare_names, is_date, is_timestamp, is_verbatim
from gateway.rest.wrong import wrong

Read = Callable[[Any], Any]

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHITE = "".join(map(chr, [0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]))
"""White space as Unicode has it, without control characters: these are refused wherever they stand."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_text(value: object) -> str:
    """A string as clients mean it: without white space around it, in Unicode's NFC."""
    if type(value) is not str:
        raise wrong("must be a string")
    return (value if value.isascii() else normalize("NFC", value)).strip(_WHITE)


def read_verbatim(value: object) -> str:
    """A string as it came."""
    if type(value) is not str:
        raise wrong("must be a string")
    return value


def read_flag(value: object) -> bool:
    """A JSON boolean."""
    if type(value) is not bool:
        raise wrong("must be true or false")
    return value


def read_number(value: object) -> float:
    """A finite JSON number."""
    if type(value) not in (int, float) or not math.isfinite(number := float(str(value))):
        raise wrong("must be a number")
    return number


def read_bytes(value: object) -> bytes:
    """Bytes in base64."""
    try:
        return base64.b64decode(read_verbatim(value), validate=True)
    except binascii.Error:
        raise wrong("must be base64") from None


def read_time(value: object) -> dict[str, int]:
    """An RFC 3339 time as the fields of a protobuf Timestamp."""
    match = _TIME.fullmatch(value.strip()) if type(value) is str else None
    if match is None:
        raise wrong("must be a time like 2026-01-31T12:00:00Z")
    stamp, fraction, zone = match.groups()
    try:
        seconds = int(datetime.fromisoformat(stamp.upper() + zone.upper().replace("Z", "+00:00")).timestamp())
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        raise wrong("names no moment of the calendar") from None
    return {"seconds": seconds, "nanos": int((fraction or "").ljust(9, "0"))}


def read_date(value: object) -> str:
    """A day as RFC 3339 writes it."""
    text = read_text(value)
    try:
        date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError:
        raise wrong("must be a day of the calendar like 2026-01-31") from None
    return text


def whole_between(low: int, high: int) -> Read:
    """Reads whole JSON numbers; neither 1.0 nor true is one."""

    def read(value: object) -> int:
        if type(value) is int and low <= value <= high:
            return value
        # JSON numbers past 64 bits arrive as floats.
        if type(value) is int or (type(value) is float and abs(value) > 2**63):
            raise wrong(f"must be between {low} and {high}")
        raise wrong("must be a whole number")

    return read


def one_of(enum: EnumDescriptor) -> Read:
    """Reads the bare name of an enum's value."""
    numbers = {name: number for number, name in bare_names(enum).items()}
    complaint = "must be one of " + ", ".join(numbers)

    def read(value: object) -> int:
        number = numbers.get(value) if type(value) is str else None
        if number is None:
            raise wrong(complaint)
        return number

    return read


def reader_of(field: FieldDescriptor) -> Read:
    """Reads one JSON value of a field that is neither a message nor repeated."""
    if is_timestamp(field):
        return read_time
    if field.enum_type is not None:
        return one_of(field.enum_type)
    if field.cpp_type in _RANGES:
        return whole_between(*_RANGES[field.cpp_type])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return read_flag
    if field.type == FieldDescriptor.TYPE_BYTES:
        return read_bytes
    if is_date(field):
        return read_date
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return read_verbatim if is_verbatim(field) else read_text
    return read_number


def text_reader_of(field: FieldDescriptor) -> Read:
    """Reads the same value from text, as it stands in paths, queries and headers."""
    read = reader_of(field)
    if field.enum_type is not None or field.cpp_type == FieldDescriptor.CPPTYPE_STRING or is_timestamp(field):
        return read
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda text: read({"true": True, "false": False}.get(text))
    if field.cpp_type in _RANGES:
        return lambda text: read(int(text) if _WHOLE.fullmatch(text) else text)
    return lambda text: read(_number_in(text))


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
