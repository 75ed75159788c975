"""`orderctl products import`: a file of products and of what came in of them, checked whole before anything changes."""

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import click
from rich.progress import MofNCompleteColumn, Progress

from chassis.spreadsheet import csv_of
from gateway.client import CallFailed, Client
from gateway.orderctl import upload
from gateway.orderctl.product_file import ProductFile, Row, read_products
from gateway.orderctl.session import Session, verb
from protos.inventory.v1 import inventory_pb2 as pb

PIECE: Final = 1_000
"""Rows in one call."""
_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 60.0
_PLACE: Final = re.compile(r"products\[(\d+)\]\.(.+)")

A = TypeVar("A")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--source", help="What receipts are keyed by, with the SKU.  [default: the file's name, no extensions]")
@click.option("--currency", default="GBP", show_default=True, help="Of prices, where no column says it.")
@click.option("--dry-run", is_flag=True, help="Check the file, change nothing.")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write rejected rows here: line, sku, reason.",
)
@verb
def import_products(
    session: Session, file: Path, source: str | None, currency: str, dry_run: bool, rejects: Path | None
) -> None:
    """Make or change the products of FILE (.csv or .csv.gz), and take in what came of them.

    Its first line names the columns sku, name and price, and may name currency, supply (STOCK or SUPPLIER), supplier,
    supplier_scenario, active (yes or no) and receive (pieces that came in), in any order. A file that is broken
    anywhere changes nothing; a row that cannot be taken is rejected, and the others are taken. The same file again
    changes nothing.
    """
    if rejects is not None and not rejects.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {rejects.parent}", param_hint="--rejects")
    found = read_products(file, currency)
    took = Taking(session.client, source or upload.source_of(file))
    with session.output.progress(MofNCompleteColumn()) as progress:
        took.check(found, progress)
        if rejects is not None:
            _write(rejects, found)
        if not dry_run:
            took.take(found, progress)
    told = {"rows": len(found.rows) + len(found.rejects), "accepted": len(found.rows), "rejected": len(found.rejects)}
    told |= {} if dry_run else took.told
    session.output.json({"data": told}) if session.output.is_json else session.output.pairs(told)


class Taking:
    """Hands a file's rows to inventory, in pieces that each happen whole or not at all."""

    def __init__(self, client: Client, source: str) -> None:
        self._client = client
        self._key = f"products:{source}"[:255]
        self._reason = f"of the file {source}"[:255]
        self.told = {"new_products": 0, "pieces": 0, "receipts": 0, "repeated_receipts": 0}

    def check(self, found: ProductFile, progress: Progress) -> None:
        """Rejects the rows that inventory would refuse; nothing is changed by asking."""
        task = progress.add_task("checking", total=len(found.rows))
        for start in range(0, len(found.rows), PIECE):
            piece = _without(found.rows[start : start + PIECE], {}, found)
            while piece and (refused := self._refused(piece)):
                piece = _without(piece, refused, found)
            progress.advance(task, PIECE)
        gone = {reject.line for reject in found.rejects}
        found.rows = [row for row in found.rows if row.line not in gone]
        found.rejects.sort(key=lambda reject: reject.line)

    def take(self, found: ProductFile, progress: Progress) -> None:
        """Products first, then what came in of them."""
        received = [row for row in found.rows if row.receive]
        task = progress.add_task("products and stock", total=len(found.rows) + len(received))
        for start in range(0, len(found.rows), PIECE):
            self._put(found.rows[start : start + PIECE])
            progress.advance(task, PIECE)
        for start in range(0, len(received), PIECE):
            self._receive(received[start : start + PIECE])
            progress.advance(task, PIECE)

    def _refused(self, piece: Sequence[Row]) -> dict[int, str]:
        """What inventory says against rows of the piece, by their places in it."""
        service = self._client.catalogue
        request = pb.BatchPutProductsRequest(products=[row.put for row in piece], validate_only=True)
        try:
            _patiently(lambda: service.ask(service.rpc.BatchPutProducts, request, _SECONDS))
        except CallFailed as failed:
            named = {place: told for path, told in failed.fields.items() if (place := _PLACE.fullmatch(path))}
            if not named:
                raise
            return {int(place[1]): f"{place[2]}: {told[0]}" for place, told in named.items()}
        return {}

    def _put(self, piece: Sequence[Row]) -> None:
        service = self._client.catalogue
        known = pb.BatchGetProductsRequest(skus=[row.put.sku for row in piece])
        there = _patiently(lambda: service.ask(service.rpc.BatchGetProducts, known, _SECONDS))
        request = pb.BatchPutProductsRequest(products=[row.put for row in piece])
        _patiently(lambda: service.ask(service.rpc.BatchPutProducts, request, _SECONDS))
        self.told["new_products"] += len(piece) - len(there.products)

    def _receive(self, piece: Sequence[Row]) -> None:
        service = self._client.inventory
        receipts = [
            pb.ReceiveStockRequest(
                sku=row.put.sku, quantity=row.receive, reason=self._reason, idempotency_key=self._key
            )
            for row in piece
        ]  # fmt: skip
        request = pb.BatchReceiveStockRequest(receipts=receipts)
        answer = _patiently(lambda: service.ask(service.rpc.BatchReceiveStock, request, _SECONDS))
        self.told["pieces"] += sum(row.receive for row in piece)
        self.told["receipts"] += answer.received
        self.told["repeated_receipts"] += answer.repeated_receipts


def _without(piece: Sequence[Row], refused: dict[int, str], found: ProductFile) -> list[Row]:
    """The rows that are left. What is said against a currency holds for all who have it, of the whole file."""
    currencies = {piece[place].put.currency: told for place, told in refused.items() if told.startswith("currency: ")}
    gone = {piece[place].line: told for place, told in refused.items()}
    rejected = {reject.line for reject in found.rejects}
    for row in found.rows:
        if row.line not in rejected and (told := gone.get(row.line) or currencies.get(row.put.currency)):
            found.reject(row, told)
            rejected.add(row.line)
    return [row for row in piece if row.line not in rejected]


def _patiently(ask: Callable[[], A]) -> A:
    """The answer, also of a service that is restarted meanwhile: every call here may be repeated."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except CallFailed as failed:
            if not failed.may_come_back or time.monotonic() > until:
                raise
        time.sleep(upload.AGAIN_AFTER_SECONDS)


def _write(target: Path, found: ProductFile) -> None:
    """The file is there whole or not at all."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    rows = [("line", "sku", "reason"), *((reject.line, reject.sku, reject.reason) for reject in found.rejects)]
    try:
        unfinished.write_bytes(csv_of(rows))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
