"""Files of orders for tests of imports, and the parts that imports stand on."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.database import Database, rows_of, run_sql
from chassis.errors import Unavailable
from gateway.orderctl.sample import COLUMNS
from gateway.orderctl.sample_facts import Facts
from gateway.orderctl.sample_month import invoices
from order_service.commands import Placing
from order_service.imports import commands, queries
from order_service.imports.adapters.csv_file import rows_of_file
from order_service.imports.domain import ImportSpec
from order_service.imports.jobs import ImportProgress
from order_service.imports.queries import ImportView

HEAD = ",".join(COLUMNS) + "\n"


def a_line(
    invoice: str = "1", sku: str = "A", quantity: str = "1", price: str = "2.50", customer: str = "c-1",
    date: str = "2010-12-01 08:26:00", name: str = "a thing", country: str = "United Kingdom",
) -> str:  # fmt: skip
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([invoice, sku, name, quantity, date, price, customer, country])
    return text.getvalue()


def a_file(*lines: str) -> bytes:
    return (HEAD + "".join(lines)).encode()


def a_month(orders: int, seed: int = 1) -> tuple[bytes, Facts]:
    """A sample month, and what an import of it must find."""
    text, facts = io.StringIO(), Facts()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for invoice in invoices(orders, seed):
        writer.writerows(invoice.rows)
        facts.add(invoice)
    return text.getvalue().encode(), facts


@dataclass
class Shelf:
    """The products that can be ordered: all of them, but for what a test says."""

    unknown: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    not_told: set[str] = field(default_factory=set)

    def activity_of(self, skus: Sequence[str]) -> Mapping[str, bool]:
        if self.not_told.intersection(skus):
            raise Unavailable("the catalogue cannot be asked at the moment")
        return {sku: sku not in self.withdrawn for sku in skus if sku not in self.unknown}


@dataclass
class Importing:
    """Imports on a schema of their own, taken further by hand; orders end when a test says so."""

    database: Database
    shelf: Shelf = field(default_factory=Shelf)
    placing: Placing = field(default_factory=lambda: Placing("GBP", "sim_ok"))
    in_flight: int = 1_000
    told: int = 0
    counted: int = 0

    def __post_init__(self) -> None:
        self.progress = ImportProgress(
            self.database, self.shelf, self.placing, self._tell, self.in_flight, self._count_placed
        )

    def take(
        self, file: bytes | Iterable[bytes], source: str = "shop", dry_run: bool = False, max_bytes: int = 1 << 30
    ) -> str:
        chunks = [file] if isinstance(file, bytes) else file
        spec = ImportSpec(source, dry_run)
        return commands.take_file(self.database, rows_of_file, spec, chunks, max_bytes=max_bytes, currency="GBP")

    def go_on(self) -> None:
        """One pass of the job, as if it had just been woken."""
        self.progress.wake()
        self.progress.go_on()

    def see(self, import_id: str) -> ImportView:
        return self.database.read(lambda connection: queries.get_import(connection, import_id))

    def finish(self, import_id: str) -> ImportView:
        """Until the import has ended, each order that is placed ending at once."""
        while self.see(import_id).finished_at is None:
            self.go_on()
            self.end_orders()
        return self.see(import_id)

    def end_orders(self, status: str = "COMPLETED") -> int:
        """All orders that are stored end, past the saga that this test does without."""
        with self.database.begin() as connection:
            run_sql(connection, "ALTER TABLE orders DISABLE TRIGGER USER")
            ended = run_sql(
                connection,
                "UPDATE orders SET status = :status, previous_status = CASE :status WHEN 'COMPLETED'"
                " THEN 'PAYMENT_PROCESSING' ELSE 'PENDING' END WHERE status = 'PENDING'",
                status=status,
            )
            run_sql(connection, "ALTER TABLE orders ENABLE TRIGGER USER")
        return ended.rowcount

    def rejects(self, import_id: str) -> list[tuple[int, str, str]]:
        rows = self.database.read(lambda connection: queries.rejects(connection, import_id, 0))
        return [(row.line, row.invoice, row.reason) for row in rows]

    def count(self, table: str) -> int:
        return int(self.database.read(lambda c: rows_of(c, f"SELECT count(*) AS rows FROM {table}"))[0].rows)

    def _count_placed(self, orders: int) -> None:
        self.counted += orders

    def _tell(self) -> None:
        self.told += 1
