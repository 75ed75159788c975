"""Writes products; a change is told in the transaction that makes it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from chassis import tracing
from chassis.database import rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.outbox import tell
from inventory_service import wire
from inventory_service.domain import CONTEXT, Offer, Product
from inventory_service.queries import products_by_sku

_PUT: Final = """
INSERT INTO products (sku, name, price_minor, currency, supply, supplier, supplier_scenario, active)
SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:prices AS bigint[]),
                     CAST(:currencies AS text[]), CAST(:supplies AS text[]), CAST(:suppliers AS text[]),
                     CAST(:scenarios AS text[]), CAST(:actives AS boolean[])) AS new (sku) ORDER BY sku
ON CONFLICT (sku) DO UPDATE SET
    name = excluded.name, price_minor = excluded.price_minor, currency = excluded.currency, supply = excluded.supply,
    supplier = excluded.supplier, supplier_scenario = excluded.supplier_scenario, active = excluded.active,
    version = products.version + 1, updated_at = now()
WHERE (products.name, products.price_minor, products.currency, products.supply, products.supplier,
       products.supplier_scenario, products.active)
    IS DISTINCT FROM (excluded.name, excluded.price_minor, excluded.currency, excluded.supply, excluded.supplier,
                      excluded.supplier_scenario, excluded.active)
RETURNING products.sku
"""
_MAKE_SHELVES: Final = """
INSERT INTO stock (sku) SELECT sku FROM unnest(CAST(:skus AS text[])) AS new (sku) ORDER BY sku ON CONFLICT DO NOTHING
"""


def put_offers(connection: Connection, offers: Sequence[Offer]) -> dict[str, Product]:
    """Make or change products, each SKU at most once; the products as they are then, by SKU.

    One that already is as it is offered stays as it is, and nothing is told of it.
    """
    changed = rows_of(
        connection,
        _PUT,
        skus=[offer.sku for offer in offers],
        names=[offer.name for offer in offers],
        prices=[offer.price_minor for offer in offers],
        currencies=[offer.currency for offer in offers],
        supplies=[offer.supply for offer in offers],
        suppliers=[offer.supplier for offer in offers],
        scenarios=[offer.supplier_scenario for offer in offers],
        actives=[offer.active for offer in offers],
    )
    failpoint("inventory.catalogue.after_products")
    skus = [row.sku for row in changed]
    if skus:
        run_sql(connection, _MAKE_SHELVES, skus=skus)
    products = products_by_sku(connection, [offer.sku for offer in offers])
    failpoint("inventory.catalogue.before_tell")
    trace = tracing.current.get()
    tell(connection, [wire.product_to_outgoing(products[sku], trace) for sku in skus], CONTEXT)
    return products
