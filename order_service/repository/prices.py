"""The price copy: products as inventory last told of them, never replaced by an older version."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from chassis.database import run_sql
from order_service.domain import Product

# Locks are taken in order of the SKUs: two writers of the same products never wait for each other in a circle.
_WRITE: Final = """
INSERT INTO prices (sku, name, price_minor, currency, is_active, version)
SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:prices AS bigint[]),
                     CAST(:currencies AS text[]), CAST(:active AS boolean[]), CAST(:versions AS bigint[]))
ON CONFLICT (sku) DO UPDATE SET
    name = excluded.name, price_minor = excluded.price_minor, currency = excluded.currency,
    is_active = excluded.is_active, version = excluded.version
WHERE prices.version < excluded.version
"""


def copy_products(connection: Connection, products: Iterable[Product]) -> None:
    """Write products that are newer than the copy; each SKU at most once.

    Rule (protocols: placing): the copy never goes backwards, whichever way an older version comes late.
    """
    ordered = sorted(products)
    if ordered:
        run_sql(
            connection,
            _WRITE,
            skus=[product.sku for product in ordered],
            names=[product.name for product in ordered],
            prices=[product.price_minor for product in ordered],
            currencies=[product.currency for product in ordered],
            active=[product.is_active for product in ordered],
            versions=[product.version for product in ordered],
        )
