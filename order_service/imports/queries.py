"""What may be read of imports: how far they are, what they rejected, what a dry run's orders need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from chassis import ids
from chassis.database import Row, rows_of
from chassis.errors import NotFound, ValidationFailed
from order_service.domain import Line
from order_service.imports.domain import UNDER_WAY, ImportStatus, NotADryRun

REJECTS_A_PIECE: Final = 5_000
_FIELDS: Final = (
    "id, source, status, dry_run, currency, rows, orders, already_imported, rejected_orders, rejected_rows,"
    " placed_orders, terminal_orders, ended_by_status, failure_message, created_at, placing_since, finished_at"
)


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import as it is shown."""

    id: str
    source: str
    status: ImportStatus
    dry_run: bool
    currency: str
    rows: int
    orders: int
    already_imported: int
    rejected_orders: int
    rejected_rows: int
    placed_orders: int
    terminal_orders: int
    orders_by_status: dict[str, int]
    failure_message: str | None
    created_at: datetime
    placing_since: datetime | None
    finished_at: datetime | None

    def seconds(self, now: datetime) -> float | None:
        """From the first order placed until now, or until the last one ended."""
        if self.placing_since is None:
            return None
        return max(0.0, ((self.finished_at or now) - self.placing_since).total_seconds())

    def orders_per_second(self, now: datetime) -> float:
        """Orders of this import that have ended, a second; 0 as long as there are none."""
        seconds = self.seconds(now)
        return max(0, self.terminal_orders - self.already_imported) / seconds if seconds else 0.0

    def seconds_left(self, now: datetime) -> float | None:
        """Until the last of its orders has ended, by the present rate."""
        rate = self.orders_per_second(now)
        if self.finished_at is not None or self.status is ImportStatus.CHECKING or not rate:
            return None
        return (self.orders - self.terminal_orders) / rate


def get_import(connection: Connection, import_id: str) -> ImportView:
    """One import; raises NotFound."""
    rows = rows_of(connection, f"SELECT {_FIELDS} FROM imports WHERE id = :id", id=import_id)
    if not rows:
        raise NotFound(f"there is no import {import_id}")
    return _view(connection, rows[0])


def list_imports(connection: Connection, page_size: int, page_token: str) -> tuple[list[ImportView], str]:
    """A page of imports, newest first, and the token of the next one (empty: this was the last)."""
    if page_token and not ids.is_id(page_token):
        raise ValidationFailed("the request is not valid", fields={"page_token": ["is not a token of this list"]})
    rows = rows_of(
        connection,
        f"SELECT {_FIELDS} FROM imports WHERE CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)"
        " ORDER BY id DESC LIMIT :size",
        before=page_token or None, size=page_size + 1,
    )  # fmt: skip
    views = [_view(connection, row) for row in rows[:page_size]]
    return views, views[-1].id if len(rows) > page_size else ""


def under_way(connection: Connection) -> list[tuple[str, ImportStatus]]:
    """The imports that the job goes on with, oldest first."""
    rows = rows_of(
        connection, "SELECT id, status FROM imports WHERE status IN ('CHECKING', 'PLACING', 'SETTLING') ORDER BY id"
    )
    return [(row.id, ImportStatus(row.status)) for row in rows]


def rejects(connection: Connection, import_id: str, after: int) -> Sequence[Row]:
    """The next rejected rows behind a line, as (line, invoice, reason) in the order of the file."""
    return rows_of(
        connection,
        "SELECT line, invoice, reason FROM import_rejects WHERE import_id = :id AND line > :after"
        " ORDER BY line LIMIT :piece",
        id=import_id, after=after, piece=REJECTS_A_PIECE,
    )  # fmt: skip


def demand(connection: Connection, import_id: str, page_size: int, page_token: str) -> tuple[list[Line], str, str]:
    """A page of what a dry run's orders need, by SKU; the next page's token (empty: none); the currency."""
    found = get_import(connection, import_id)
    if found.status is not ImportStatus.CHECKED:
        raise NotADryRun(f"import {import_id} is not a dry run that was checked, but {found.status}")
    rows = rows_of(
        connection,
        "SELECT sku, name, quantity, unit_price_minor FROM import_demand WHERE import_id = :id AND sku > :after"
        " ORDER BY sku LIMIT :size",
        id=import_id, after=page_token, size=page_size + 1,
    )  # fmt: skip
    lines = [Line._make(row) for row in rows[:page_size]]
    return lines, lines[-1].sku if len(rows) > page_size else "", found.currency


def _view(connection: Connection, row: Row) -> ImportView:
    fields = row._asdict()
    fields["status"] = ImportStatus(row.status)
    by_status = dict(fields.pop("ended_by_status"))
    if row.status in UNDER_WAY and row.placed_orders > row.terminal_orders:
        for found in _unfinished(connection, row.id):
            by_status[found.status] = by_status.get(found.status, 0) + found.orders
    return ImportView(**fields, orders_by_status=by_status)


def _unfinished(connection: Connection, import_id: str) -> Sequence[Row]:
    # An array instead of a join: the planner knows little of tables that fill and empty within seconds.
    return rows_of(
        connection,
        "SELECT status, count(*) AS orders FROM orders WHERE id = ANY(ARRAY("
        "  SELECT order_id FROM import_orders WHERE import_id = :id AND order_id IS NOT NULL))"
        " GROUP BY status",
        id=import_id,
    )
