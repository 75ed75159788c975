"""A file of products: its rows as they are to be put, those that cannot be, or why it is no such file."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Final
from unicodedata import normalize

from chassis.errors import ValidationFailed
from chassis.money import parse_amount
from chassis.validation import validate
from gateway.orderctl.session import Unusable
from protos.inventory.v1 import inventory_pb2 as pb

NEEDED: Final = ("sku", "name", "price")
OPTIONAL: Final = ("currency", "supply", "supplier", "supplier_scenario", "active", "receive")
MOST_ROWS: Final = 1_000_000
MOST_PIECES: Final = 1_000_000_000
_MAX_LINE: Final = 1 << 20
_FLAGS: Final = {"": True, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Row:
    """A product as it shall be, and how many pieces of it came in."""

    line: int
    put: pb.PutProductRequest
    receive: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be taken, and why, in a sentence."""

    line: int
    sku: str
    reason: str


@dataclass
class ProductFile:
    """All rows of a file, checked by what can be known without asking anybody."""

    rows: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, row: Row, reason: str) -> None:
        """Take a row out."""
        self.rejects.append(Reject(row.line, row.put.sku, reason))


def read_products(file: Path, currency: str) -> ProductFile:
    """The whole file, in memory; Unusable when it is broken anywhere, so that half a file never changes anything."""
    found = ProductFile()
    lines: dict[str, int] = {}
    for line, cells in _records(file):
        try:
            row = _row_of(line, cells, currency)
            if (before := lines.setdefault(row.put.sku, line)) != line:
                raise ValueError(f"sku: stands in line {before:,} already")
            found.rows.append(row)
        except ValueError as wrong:
            found.rejects.append(Reject(line, cells["sku"], str(wrong)))
    return found


def _records(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row by the names of its columns, with its line; empty ones are passed over."""
    reader = csv.reader(_text_of(file), strict=True)
    try:
        columns = _columns_of(next(reader, None))
        before = reader.line_num
        for number, cells in enumerate(reader):
            if number >= MOST_ROWS:
                raise Unusable(f"The file has more than {MOST_ROWS:,} rows.")
            if len(cells) not in (0, len(columns)):
                raise Unusable(f"Line {before + 1:,} has {len(cells)} columns instead of {len(columns)}.")
            if cells:
                yield before + 1, dict(zip(columns, (normalize("NFC", cell.strip()) for cell in cells), strict=True))
            before = reader.line_num
    except csv.Error as error:
        raise Unusable(f"Line {reader.line_num:,} is not CSV: {error}.") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"The file is not UTF-8: see behind line {reader.line_num:,}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unusable("The file is not gzip, or it is damaged or cut off.") from error


def _text_of(file: Path) -> Iterator[str]:
    with gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as raw:
        text = TextIOWrapper(raw, "utf-8-sig", newline="")
        number = 0
        while line := text.readline(_MAX_LINE):
            number += 1
            if "\0" in line:
                raise Unusable(f"The file is not text: there is a NUL byte in line {number:,}.")
            if not line.endswith(("\n", "\r")):
                raise Unusable(
                    f"The file ends in the middle of line {number:,}, without a line break: it looks cut off. "
                    "Nothing was changed. (If it is whole, add a line break at its end.)"
                )
            yield line


def _columns_of(header: list[str] | None) -> list[str]:
    if header is None:
        raise Unusable("The file is empty.")
    columns = [name.strip().lower() for name in header]
    unknown = [name for name in columns if name not in NEEDED + OPTIONAL]
    missing = [name for name in NEEDED if name not in columns]
    if unknown or missing or len(set(columns)) < len(columns):
        raise Unusable(
            f"The first line must name the columns {', '.join(NEEDED)} and may name {', '.join(OPTIONAL)}, each once; "
            f"it reads {', '.join(header)[:80]!a}."
        )
    return columns


def _row_of(line: int, cells: Mapping[str, str], currency: str) -> Row:
    """The row; ValueError with the column and what is wrong with it."""
    supply = cells.get("supply", "").upper() or "STOCK"
    if supply not in ("STOCK", "SUPPLIER"):
        raise ValueError("supply: must be STOCK or SUPPLIER")
    put = pb.PutProductRequest(
        sku=cells["sku"],
        name=cells["name"],
        price=cells["price"],
        currency=cells.get("currency") or currency,
        supply=f"SUPPLY_{supply}",
        supplier=cells.get("supplier") or None,
        supplier_scenario=cells.get("supplier_scenario") or None,
        active=_flag(cells.get("active", "")),
    )
    _check(put)
    return Row(line, put, _pieces(cells.get("receive", "")))


def _check(put: pb.PutProductRequest) -> None:
    try:
        validate(put)
        parse_amount(put.price, put.currency)
    except ValidationFailed as refusal:
        name, sentences = next(iter(refusal.fields.items()))
        raise ValueError(f"{name}: {sentences[0]}") from None
    except ValueError as error:
        raise ValueError(f"price: {error}") from None
    if put.supply == pb.SUPPLY_SUPPLIER and not put.supplier:
        raise ValueError("supplier: is needed with supply SUPPLIER")


def _flag(text: str) -> bool:
    if (flag := _FLAGS.get(text.lower())) is None:
        raise ValueError("active: must be yes or no")
    return flag


def _pieces(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > MOST_PIECES:
        raise ValueError(f"receive: must be a whole number of pieces, at most {MOST_PIECES:,}")
    return int(text)
