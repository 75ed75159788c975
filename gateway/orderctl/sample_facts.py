"""What a sample month comes to, counted while it is made: what an import of it must find."""

from collections import Counter
from typing import Any

from chassis.money import format_amount, parse_amount
from gateway.orderctl.sample_month import Invoice, Row

CURRENCY = "GBP"
_TOP = 5


class Facts:
    """Counts invoices as they are written."""

    def __init__(self) -> None:
        self._rows = Counter[bool]()
        self._invoices = Counter[bool]()
        self._units = Counter[str]()
        self._spent = Counter[str]()
        self._orders_by_day = Counter[str]()
        self._revenue_by_day = Counter[str]()

    def add(self, invoice: Invoice) -> None:
        """One more invoice of the file."""
        self._rows[invoice.is_good] += len(invoice.rows)
        self._invoices[invoice.is_good] += 1
        if not invoice.is_good:
            return
        total = sum(map(_line_total, invoice.rows))
        day = min(row.date for row in invoice.rows)[:10]
        self._orders_by_day[day] += 1
        self._revenue_by_day[day] += total
        self._spent[invoice.rows[0].customer] += total
        for row in invoice.rows:
            self._units[row.sku] += int(row.quantity)

    def document(self) -> dict[str, Any]:
        """The facts, amounts as decimal strings."""
        return {
            "rows": self._rows.total(),
            "invoices": self._invoices.total(),
            "accepted_orders": self._invoices[True],
            "accepted_lines": self._rows[True],
            "rejected_orders": self._invoices[False],
            "rejected_rows": self._rows[False],
            "customers": len(self._spent),
            "skus": len(self._units),
            "units": self._units.total(),
            "total_amount": format_amount(self._spent.total(), CURRENCY),
            "currency": CURRENCY,
            "days": {
                day: {"orders": orders, "revenue": format_amount(self._revenue_by_day[day], CURRENCY)}
                for day, orders in sorted(self._orders_by_day.items())
            },
            "top_customers": [
                {"customer_id": customer, "spent": format_amount(spent, CURRENCY)}
                for customer, spent in self._spent.most_common(_TOP)
            ],
            "top_skus": [{"sku": sku, "units": units} for sku, units in self._units.most_common(_TOP)],
        }


def _line_total(row: Row) -> int:
    return int(row.quantity) * parse_amount(row.price, CURRENCY)
