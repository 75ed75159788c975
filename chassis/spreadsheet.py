"""Rows as CSV that a spreadsheet can open without running what somebody wrote into a cell."""

import csv
import io
from collections.abc import Iterable
from typing import Final

MEDIA_TYPE: Final = "text/csv; charset=utf-8"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(rows: Iterable[Iterable[object]]) -> bytes:
    """Some rows; text that would be taken for a formula is quoted with an apostrophe (OWASP, "CSV injection")."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_unarmed(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _unarmed(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
