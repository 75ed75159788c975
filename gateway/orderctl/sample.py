"""`orderctl sample`: a month of orders in the import's columns, with its facts beside it."""

import csv
import gzip
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO

import click
import orjson
from rich.progress import MofNCompleteColumn

from gateway.orderctl.sample_facts import Facts
from gateway.orderctl.sample_month import invoices
from gateway.orderctl.session import Session, verb

COLUMNS: Final = (
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
)  # fmt: skip


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option(
    "--orders", type=click.IntRange(1, 10_000_000), default=1_400, show_default=True, help="Good orders in it."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another month.")
@verb
def sample(session: Session, file: Path, orders: int, seed: int) -> None:
    """Write a shop's month of orders to FILE (.csv or .csv.gz), as dirty as real ones.

    It has exactly the good orders asked for; FILE.facts.json tells what an import of it must find. The same seed
    makes the same file.
    """
    facts = Facts()
    with session.output.progress(MofNCompleteColumn()) as progress, ExitStack() as stack:
        writer = csv.writer(_opened(file, stack), lineterminator="\n")
        writer.writerow(COLUMNS)
        for invoice in progress.track(invoices(orders, seed), description="invoices", total=None):
            writer.writerows(invoice.rows)
            facts.add(invoice)
    document = facts.document()
    facts_file = file.with_name(f"{file.name}.facts.json")
    facts_file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    if session.output.is_json:
        session.output.json({"data": document})
        return
    session.output.say(
        f"{file}: {document['rows']:,} rows, {document['accepted_orders']:,} good orders of {document['customers']:,}"
        f" customers over {document['skus']:,} SKUs, {document['total_amount']} {document['currency']}"
    )
    session.output.say(f"{facts_file}: what an import of it must find")


def _opened(file: Path, stack: ExitStack) -> TextIO:
    raw = stack.enter_context(file.open("wb"))
    # Neither name nor time: the same month is the same bytes.
    plain = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0)) if file.suffix == ".gz" else raw
    return stack.enter_context(io.TextIOWrapper(plain, encoding="utf-8", newline=""))
