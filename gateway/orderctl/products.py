"""Products: list, put, receive, import."""

from uuid import uuid4

import click

from gateway.orderctl.products_import import import_products
from gateway.orderctl.session import Session, Verbs, verb
from protos.inventory.v1 import inventory_pb2 as pb

_COLUMNS = ("sku", "name", "price", "currency", "supply", "active", "version")
_PAGE = 100


@click.group(cls=Verbs)
def products() -> None:
    """The catalogue and its stock."""


@products.command("list")
@click.option("--limit", type=click.IntRange(1), default=15, show_default=True, help="At most so many.")
@verb
def list_products(session: Session, limit: int) -> None:
    """List products, newest first."""
    catalogue = session.client.catalogue
    found: list[pb.Product] = []
    request = pb.ListProductsRequest()
    while len(found) < limit:
        request.page_size = min(_PAGE, limit - len(found))
        page = catalogue.ask(catalogue.rpc.ListProducts, request)
        found.extend(page.products)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    session.output.rows(found, _COLUMNS)


@products.command()
@click.argument("sku")
@click.option("--name", required=True, help="What it is called.")
@click.option("--price", required=True, help="Price of one piece, such as 2.55.")
@click.option("--currency", default="GBP", show_default=True, help="ISO 4217; the installation's.")
@click.option(
    "--supply",
    type=click.Choice(["STOCK", "SUPPLIER"]),
    default="STOCK",
    show_default=True,
    help="Where it comes from when the shelf is empty.",
)
@click.option("--supplier", help="Who supplies it.")
@click.option("--scenario", help="How the simulated supplier behaves for it.")
@click.option("--active/--withdrawn", default=True, help="Whether it may be ordered.  [default: active]")
@verb
def put(
    session: Session,
    sku: str,
    name: str,
    price: str,
    currency: str,
    supply: str,
    supplier: str | None,
    scenario: str | None,
    active: bool,
) -> None:
    """Make or change a product."""
    request = pb.PutProductRequest(
        sku=sku,
        name=name,
        price=price,
        currency=currency,
        supply=f"SUPPLY_{supply}",
        supplier=supplier,
        supplier_scenario=scenario,
        active=active,
    )
    catalogue = session.client.catalogue
    session.output.one(catalogue.ask(catalogue.rpc.PutProduct, request))


@products.command()
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(1))
@click.option("--reason", default="", help="Why.")
@click.option("--key", help="Equal keys of a SKU name one receipt.  [default: a new one]")
@verb
def receive(session: Session, sku: str, quantity: int, reason: str, key: str | None) -> None:
    """Goods came in."""
    request = pb.ReceiveStockRequest(sku=sku, quantity=quantity, reason=reason, idempotency_key=key or str(uuid4()))
    inventory = session.client.inventory
    change = inventory.ask(inventory.rpc.ReceiveStock, request)
    session.output.one(change.stock if not session.output.is_json else change)


products.add_command(import_products)
