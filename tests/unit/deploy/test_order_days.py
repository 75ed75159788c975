"""The days of a file of orders."""

import gzip
from pathlib import Path

from deploy.local.order_days import days_of

MONTH = (
    "InvoiceNo,StockCode,InvoiceDate\n"
    "2,A,2010-12-07 08:26:00\n"
    "1,A,2010-12-01 09:00:00\n"
    "C3,A,someday\n"
    "4,B\n"
)  # fmt: skip


def test_first_and_last_day_are_found_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    plain, packed = tmp_path / "month.csv", tmp_path / "month.csv.gz"
    plain.write_text(MONTH)
    packed.write_bytes(gzip.compress(MONTH.encode()))

    assert days_of(plain) == ("2010-12-01", "2010-12-07")
    assert days_of(packed) == ("2010-12-01", "2010-12-07")


def test_a_file_without_days_has_none(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")

    assert days_of(file) is None
