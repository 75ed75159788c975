"""A shop's file of orders: what a row must be, where an import stands, and the ways to say no."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from chassis.errors import Refusal
from chassis.money import MAX_MINOR, exponent
from order_service.domain import Line

COLUMNS: Final = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip
MAX_QUANTITY: Final = 1_000_000
MAX_LINES: Final = 5_000
MAX_TEXT: Final = 255
MAX_CODE: Final = 64
"""Characters of a SKU and of an invoice number."""

_MAX_NUMBER: Final = 50
"""Characters of a quantity, a price or a date: more than any that can be read has."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_QUANTITY = re.compile(r"-?0*[0-9]{1,18}")
_PRICE = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,12}))?")


class ImportStatus(StrEnum):
    """Where an import stands."""

    STAGING = "STAGING"
    CHECKING = "CHECKING"
    PLACING = "PLACING"
    SETTLING = "SETTLING"
    DONE = "DONE"
    CHECKED = "CHECKED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"


UNDER_WAY: Final = (ImportStatus.CHECKING, ImportStatus.PLACING, ImportStatus.SETTLING)
"""What the job goes on with by itself."""


class UnusableFile(Refusal):
    """The file as a whole is not one: nothing of it is placed."""

    code = "unusable_file"
    status = "INVALID_ARGUMENT"


class FileTooLarge(Refusal):
    """More bytes than IMPORT_MAX_BYTES, as sent or unpacked."""

    code = "payload_too_large"
    status = "OUT_OF_RANGE"


class UploadBrokeOff(Refusal):
    """The sender went away, or fell silent, before the file was whole."""

    code = "upload_broke_off"
    status = "ABORTED"


class ImportNotResumable(Refusal):
    """There is nothing left to go on with."""

    code = "import_not_resumable"


class ImportNotCancellable(Refusal):
    """It has ended already."""

    code = "import_not_cancellable"


class NotADryRun(Refusal):
    """Demand is told of dry runs only."""

    code = "not_a_dry_run"


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """What a file is and what is to be done with it."""

    source: str
    dry_run: bool = False
    gzip: bool = False


class StagedRow(NamedTuple):
    """One row of the file: what it says, or what is wrong with it."""

    line: int
    invoice: str
    sku: str
    name: str
    quantity: int | None
    unit_price_minor: int | None
    placed_at: datetime | None
    customer_id: str
    country: str
    reason: str | None


def read_row(line: int, cells: list[str], currency: str) -> StagedRow:
    """Judge one row by itself; `line` is where it starts in the file, prices become minor units of `currency`.

    A row with a `reason` rejects its whole invoice. Texts are trimmed and NFC-normalised as over REST.
    """
    reasons: list[str] = []
    if not (all(map(str.isprintable, cells)) and all(map(str.isascii, cells))):
        cells = [_normal(column, cell, reasons) for column, cell in zip(COLUMNS, cells, strict=True)]
    invoice, sku, name, quantity, date, price, customer, country = map(str.strip, cells)
    # Cut, for what is read is remembered, and a cell may be as long as the file.
    pieces, quantity_reason = read_quantity(quantity[:_MAX_NUMBER])
    minor, price_reason = read_price(price[:_MAX_NUMBER], exponent(currency))
    placed_at, date_reason = read_date(date[:_MAX_NUMBER])
    if quantity_reason or price_reason or date_reason or reasons or not (invoice and sku and customer):
        reasons += (_missing("InvoiceNo", invoice), _missing("StockCode", sku), quantity_reason, date_reason)
        reasons += (price_reason, _missing("CustomerID", customer))
    if len(invoice) > MAX_CODE or len(sku) > MAX_CODE or max(map(len, (name, customer, country))) > MAX_TEXT:
        reasons += _too_long(invoice, sku, name, customer, country)
        invoice, sku, name, customer, country = (
            invoice[:MAX_CODE],
            sku[:MAX_CODE],
            name[:MAX_TEXT],
            customer[:MAX_TEXT],
            country[:MAX_TEXT],
        )
    told = "; ".join(filter(None, reasons)) if reasons else None
    return StagedRow(line, invoice, sku, name or sku, pieces, minor, placed_at, customer, country, told)


@lru_cache(maxsize=4096)
def read_quantity(text: str) -> tuple[int | None, str]:
    """Pieces, and why they cannot be ordered (empty when they can)."""
    if _QUANTITY.fullmatch(text) is None:
        return None, "Quantity is not a whole number" if text else "Quantity is missing"
    pieces = int(text)
    if pieces < 1:
        return None, f"Quantity is {pieces}, not at least 1"
    if pieces > MAX_QUANTITY:
        return None, f"Quantity is more than {MAX_QUANTITY:,}"
    return pieces, ""


@lru_cache(maxsize=4096)
def read_price(text: str, decimals: int) -> tuple[int | None, str]:
    """Minor units of one piece's price, and why it is none (empty when it is one)."""
    match = _PRICE.fullmatch(text)
    if match is None:
        return None, "UnitPrice is not a decimal number" if text else "UnitPrice is missing"
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > decimals:
        return None, f"UnitPrice has more than {decimals} decimals"
    minor = int(whole + fraction.ljust(decimals, "0"))
    if sign and minor:
        return None, "UnitPrice is below 0"
    if minor > MAX_MINOR:
        return None, "UnitPrice is too large"
    return minor, ""


@lru_cache(maxsize=4096)
def read_date(text: str) -> tuple[datetime | None, str]:
    """The instant a date names, in UTC where it names no zone, and why it is none (empty when it is one)."""
    try:
        instant = datetime.fromisoformat(text)
        return (instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)), ""
    except (ValueError, OverflowError):
        return None, "InvoiceDate is not a date such as 2010-12-01 08:26:00" if text else "InvoiceDate is missing"


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """An order to be placed as an operator's act: with the file's own prices and date."""

    invoice: str
    customer_id: str
    country: str
    placed_at: datetime
    lines: Sequence[Line]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AcceptedInvoice:
    """An order of the file that may be placed as far as the file goes."""

    invoice: str
    customer_id: str
    country: str
    placed_at: datetime
    rows: Sequence[StagedRow]
    fingerprint: str

    @property
    def lines(self) -> list[Line]:
        """What is ordered, in the order of the file."""
        return [Line(row.sku, row.name, row.quantity or 0, row.unit_price_minor or 0) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of an invoice that was imported before."""

    order_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What some invoices of a file turned out to be."""

    accepted: list[AcceptedInvoice]
    rejected: dict[str, str]
    """invoice → why all its rows are rejected"""
    row_reasons: dict[int, str]
    """line → what is wrong with that very row, where the row does not say so itself"""


def judge_invoice(invoice: str, rows: Sequence[StagedRow]) -> AcceptedInvoice | str:
    """The order that the rows of one invoice make, or in a sentence why they make none: all of them or none."""
    if broken := next((row.line for row in rows if row.reason is not None), None):
        return because_of_line(broken)
    if len(rows) > MAX_LINES:
        return f"the invoice has more than {MAX_LINES:,} lines"
    if any(row.customer_id != rows[0].customer_id for row in rows):
        return "the invoice names more than one customer"
    total = sum((row.quantity or 0) * (row.unit_price_minor or 0) for row in rows)
    if not 0 < total <= MAX_MINOR:
        return "the invoice comes to 0" if total == 0 else "the invoice comes to more than can be booked"
    placed_at = min(row.placed_at for row in rows if row.placed_at is not None)
    return AcceptedInvoice(invoice, rows[0].customer_id, rows[0].country, placed_at, rows, fingerprint_of(rows))


def sort_out(
    judged: Mapping[str, AcceptedInvoice | str], known: Mapping[str, Identity], active: Mapping[str, bool]
) -> Verdicts:
    """Shape was asked first, in `judge_invoice`; now identity, then the catalogue, as in placing."""
    verdicts = Verdicts([], {}, {})
    for invoice, found in judged.items():
        if isinstance(found, str):
            verdicts.rejected[invoice] = found
        elif (identity := known.get(invoice)) is not None and identity.fingerprint != found.fingerprint:
            verdicts.rejected[invoice] = other_content(identity.order_id)
        elif identity is None and (unsold := {row.line: row.sku for row in found.rows if not active.get(row.sku)}):
            verdicts.rejected[invoice] = because_of_line(min(unsold))
            verdicts.row_reasons.update({line: _unsold(sku, active) for line, sku in unsold.items()})
        else:
            verdicts.accepted.append(found)
    return verdicts


def other_content(order_id: str) -> str:
    """Why an invoice is rejected whose number stands for something else already."""
    return f"this invoice was imported before with other content, as order {order_id}"


def _unsold(sku: str, active: Mapping[str, bool]) -> str:
    return f"product {sku} is not sold any more" if sku in active else f"there is no product {sku}"


def because_of_line(line: int) -> str:
    """Why a row that is fine itself is rejected."""
    return f"line {line} of the same invoice is rejected"


def fingerprint_of(rows: Sequence[StagedRow]) -> str:
    """Equal for equal content, in whatever order the rows stand in the file."""
    content = sorted(
        (row.sku, row.quantity, row.unit_price_minor, row.name, str(row.placed_at), row.customer_id, row.country)
        for row in rows
    )
    return sha256(json.dumps(content).encode()).hexdigest()


def identity_key(source: str, invoice: str) -> str:
    """The idempotency key of an imported order: the file's name for it, unambiguous whatever the parts contain."""
    return f"import:{source.replace('%', '%25').replace(':', '%3A')}:{invoice}"


def _normal(column: str, cell: str, reasons: list[str]) -> str:
    cell = unicodedata.normalize("NFC", cell.strip())
    if _CONTROL.search(cell):
        reasons.append(f"{column} contains control characters")
        return _CONTROL.sub(" ", cell)
    return cell


def _missing(column: str, cell: str) -> str:
    return "" if cell else f"{column} is missing"


def _too_long(invoice: str, sku: str, *texts: str) -> list[str]:
    bounds = zip(("InvoiceNo", "StockCode"), (invoice, sku), strict=True)
    reasons = [f"{column} is longer than {MAX_CODE} characters" for column, cell in bounds if len(cell) > MAX_CODE]
    named = zip(("Description", "CustomerID", "Country"), texts, strict=True)
    return reasons + [
        f"{column} is longer than {MAX_TEXT} characters" for column, cell in named if len(cell) > MAX_TEXT
    ]
