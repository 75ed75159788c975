"""The price copy: products as inventory last told of them, never replaced by an older version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql
from order_service.domain import Product

_READ: Final = (
    "SELECT sku, name, price_minor, currency, is_active, version FROM prices WHERE sku = ANY(CAST(:skus AS text[]))"
)
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


def products_of(connection: Connection, skus: Iterable[str]) -> dict[str, Product]:
    """Those of these products that the copy has."""
    if not (wanted := list(skus)):
        return {}
    return {row.sku: Product._make(row) for row in rows_of(connection, _READ, skus=wanted)}


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


@dataclass(slots=True)
class LoadedProducts:
    """What a poll told of products: the newest version of each."""

    newest: dict[str, Product] = field(default_factory=dict)


class ProductRoom:
    """How the consumer of products writes the copy; the statement itself knows what is older."""

    def load(self, _connection: Connection, _keys: Sequence[str]) -> LoadedProducts:
        """Nothing needs to be read."""
        return LoadedProducts()

    def save(self, connection: Connection, loaded: LoadedProducts) -> None:
        """Write what is newer than the copy."""
        copy_products(connection, loaded.newest.values())

    def committed(self, _loaded: LoadedProducts) -> None:
        """Nobody waits for prices."""
