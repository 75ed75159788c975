"""From which day to which a file of orders goes, so that its figures can be asked for."""

import csv
import gzip
import re
from pathlib import Path
from typing import TextIO

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
COLUMN = "InvoiceDate"


def days_of(file: Path) -> tuple[str, str] | None:
    """Its first and its last day, or None when it names none."""
    first, last = "", ""
    with opened(file) as stream:
        for row in csv.DictReader(stream):
            found = DAY.match(row.get(COLUMN) or "")
            if found:
                day = found.group()
                first, last = min(first or day, day), max(last, day)
    return (first, last) if last else None


def opened(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", newline="", encoding="utf-8", errors="replace")
    return file.open(newline="", encoding="utf-8", errors="replace")
