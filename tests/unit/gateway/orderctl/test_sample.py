"""Sample months: the same for the same seed, exactly as many good orders as asked for, and as dirty as real ones."""

import csv
import gzip
import json
from collections import Counter, defaultdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.orderctl.conftest import Orderctl

Rows = list[dict[str, str]]


def month_of(orderctl: Orderctl, file: Path, *options: object) -> tuple[Rows, dict[str, Any]]:
    made = orderctl("sample", file, *options)
    assert made.exit_code == 0, made.output
    raw = file.read_bytes()
    text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode()
    facts = json.loads(file.with_name(f"{file.name}.facts.json").read_text())
    return list(csv.DictReader(text.splitlines())), facts


def counted(rows: Rows) -> dict[str, Any]:
    """The facts once more, by the rule alone and from the file alone."""
    by_invoice: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_invoice[row["InvoiceNo"]].append(row)
    good = {number: lines for number, lines in by_invoice.items() if is_acceptable(lines)}
    lines = [row for rows_of_one in good.values() for row in rows_of_one]
    spent, units, revenue, orders = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for rows_of_one in good.values():
        day = min(row["InvoiceDate"] for row in rows_of_one)[:10]
        orders[day] += 1
        for row in rows_of_one:
            amount = int(row["Quantity"]) * int(Decimal(row["UnitPrice"]) * 100)
            spent[row["CustomerID"]] += amount
            revenue[day] += amount
            units[row["StockCode"]] += int(row["Quantity"])
    return {
        "rows": len(rows), "invoices": len(by_invoice), "accepted_orders": len(good), "accepted_lines": len(lines),
        "rejected_orders": len(by_invoice) - len(good), "rejected_rows": len(rows) - len(lines),
        "customers": len(spent), "skus": len(units), "units": units.total(), "currency": "GBP",
        "total_amount": pounds(spent.total()),
        "days": {day: {"orders": orders[day], "revenue": pounds(revenue[day])} for day in sorted(orders)},
        "top_customers": [{"customer_id": name, "spent": pounds(most)} for name, most in spent.most_common(5)],
        "top_skus": [{"sku": sku, "units": most} for sku, most in units.most_common(5)],
    }  # fmt: skip


def is_acceptable(lines: Rows) -> bool:
    try:
        prices = [Decimal(row["UnitPrice"]) for row in lines]
    except InvalidOperation:
        return False
    fine = all(row["CustomerID"] and row["Quantity"].isdecimal() and int(row["Quantity"]) >= 1 for row in lines)
    fine = fine and all(price >= 0 and price.as_tuple().exponent >= -2 for price in prices)  # type: ignore[operator]
    return fine and sum(int(row["Quantity"]) * price for row, price in zip(lines, prices, strict=True)) > 0


def pounds(pence: int) -> str:
    return f"{Decimal(pence) / 100:.2f}"


@pytest.mark.parametrize(("orders", "seed"), [(1, 1), (2, 7), (300, 1), (300, 2)])
def test_the_facts_are_what_an_independent_count_finds(
    orderctl: Orderctl, tmp_path: Path, orders: int, seed: int
) -> None:
    rows, facts = month_of(orderctl, tmp_path / "month.csv", "--orders", orders, "--seed", seed)
    assert facts == counted(rows)
    assert facts["accepted_orders"] == orders


def test_the_same_seed_makes_the_same_bytes_and_another_seed_another_month(orderctl: Orderctl, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        month_of(orderctl, tmp_path / f"{name}.csv.gz", "--orders", 50, "--seed", seed)
    first, second, other = ((tmp_path / f"{name}.csv.gz").read_bytes() for name in "abc")
    assert first == second != other


def test_a_month_is_as_large_and_as_dirty_as_a_real_one(orderctl: Orderctl, tmp_path: Path) -> None:
    rows, facts = month_of(orderctl, tmp_path / "month.csv")
    assert facts["accepted_orders"] == 1_400
    assert 15 <= facts["accepted_lines"] / 1_400 <= 23
    assert 0.35 <= facts["rejected_orders"] / 1_400 <= 0.55
    assert 0.25 <= facts["rejected_rows"] / facts["rows"] <= 0.5
    by_invoice: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_invoice[row["InvoiceNo"]].append(row)
    assert any(number.startswith("C") for number in by_invoice)
    assert any(int(row["Quantity"]) < 0 and Decimal(row["UnitPrice"]) == 0 for row in rows)
    assert any(not row["CustomerID"] for row in rows)
    good = [lines for lines in by_invoice.values() if is_acceptable(lines)]
    assert any(Decimal(row["UnitPrice"]) == 0 for lines in good for row in lines)
    assert any(len({row["InvoiceDate"] for row in lines}) > 1 for lines in good)
    assert any(len({row["StockCode"] for row in lines}) < len(lines) for lines in good)
    assert max(Counter(row["StockCode"] for lines in good for row in lines).values()) > 80


def test_a_file_that_cannot_be_written_is_exit_code_2(orderctl: Orderctl, tmp_path: Path) -> None:
    assert orderctl("sample", tmp_path).exit_code == 2
    assert orderctl("sample", tmp_path / "no" / "such" / "folder.csv").exit_code == 2
