"""`orderctl catalogue`: the products and the stock that the orders of a file need."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import click
from rich.progress import MofNCompleteColumn

from gateway.client import Client
from gateway.orderctl import upload
from gateway.orderctl.session import Session, Verbs, verb
from protos.inventory.v1 import inventory_pb2 as inventory_pb
from protos.orders.v1 import imports_pb2 as pb

PIECE: Final = 1_000
"""Products or receipts in one call."""
_SECONDS: Final = 60.0

T = TypeVar("T")


@click.group(cls=Verbs)
def catalogue() -> None:
    """The catalogue as a whole."""


@catalogue.command("from-orders")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--source", help="What the receipts are keyed by, with the SKU.  [default: the file's name without extensions]"
)
@verb
def from_orders(session: Session, file: Path, source: str | None) -> None:
    """Make the products, and receive exactly the stock, that the acceptable orders of FILE need.

    Products that exist stay as they are. The same file again changes nothing.
    """
    client, named = session.client, source or upload.source_of(file)
    demand = _demand(session, file, named)
    known = _known(client, demand)
    new = [line for line in demand if line.sku not in known]
    received = 0
    with session.output.progress(MofNCompleteColumn()) as progress:
        task = progress.add_task("products and stock", total=len(new) + len(demand))
        for piece in _pieces(new):
            _put(client, piece)
            progress.advance(task, len(piece))
        for piece in _pieces(demand):
            received += _receive(client, piece, named)
            progress.advance(task, len(piece))
    told = {
        "products": len(demand), "new_products": len(new), "pieces": sum(line.quantity for line in demand),
        "receipts": received, "repeated_receipts": len(demand) - received,
    }  # fmt: skip
    session.output.json({"data": told}) if session.output.is_json else session.output.pairs(told)


def _demand(session: Session, file: Path, source: str) -> list[pb.ImportDemand]:
    """What the file needs: a dry run tells, so that there is one reading of such files and no other."""
    imports = session.client.imports
    taken = upload.upload(session.client, session.output, file, source, dry_run=True)
    upload.until_checked(session.client, taken, lambda _: None)
    request = pb.ListImportDemandRequest(import_id=taken.id)
    demand: list[pb.ImportDemand] = []
    while True:
        page = imports.ask(imports.rpc.ListImportDemand, request)
        demand.extend(page.demand)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return demand


def _known(client: Client, demand: Sequence[pb.ImportDemand]) -> set[str]:
    products = client.catalogue
    known: set[str] = set()
    for piece in _pieces(demand):
        request = inventory_pb.BatchGetProductsRequest(skus=[line.sku for line in piece])
        known.update(found.sku for found in products.ask(products.rpc.BatchGetProducts, request, _SECONDS).products)
    return known


def _put(client: Client, lines: Sequence[pb.ImportDemand]) -> None:
    products = [
        inventory_pb.PutProductRequest(
            sku=line.sku, name=line.name, price=line.unit_price, currency=line.currency,
            supply=inventory_pb.SUPPLY_STOCK, active=True,
        )
        for line in lines
    ]  # fmt: skip
    service = client.catalogue
    service.ask(service.rpc.BatchPutProducts, inventory_pb.BatchPutProductsRequest(products=products), _SECONDS)


def _receive(client: Client, lines: Sequence[pb.ImportDemand], source: str) -> int:
    """Returns how many of the receipts were new."""
    receipts = [
        inventory_pb.ReceiveStockRequest(
            sku=line.sku, quantity=line.quantity, reason=f"for the orders of {source}",
            idempotency_key=f"catalogue:{source}",
        )
        for line in lines
    ]  # fmt: skip
    service = client.inventory
    request = inventory_pb.BatchReceiveStockRequest(receipts=receipts)
    return service.ask(service.rpc.BatchReceiveStock, request, _SECONDS).received


def _pieces(lines: Sequence[T]) -> Iterator[Sequence[T]]:
    return (lines[at : at + PIECE] for at in range(0, len(lines), PIECE))
