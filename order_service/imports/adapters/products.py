"""Products as the price copy knows them, and as inventory tells of those that the copy lacks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from chassis.database import Database
from order_service import commands, queries
from order_service.ports import Catalogue

_PATIENCE_SECONDS: Final = 30.0


class KnownProducts:
    """Asked from the jobs' thread; what inventory tells is kept in the copy."""

    def __init__(self, database: Database, catalogue: Catalogue, loop: asyncio.AbstractEventLoop) -> None:
        self._database = database
        self._catalogue = catalogue
        self._loop = loop

    def activity_of(self, skus: Sequence[str]) -> Mapping[str, bool]:
        """Whether each is sold at present; those that do not exist are left out. Raises Unavailable."""
        known = self._database.read(lambda connection: queries.products_of(connection, skus))
        if missing := [sku for sku in skus if sku not in known]:
            asking = asyncio.run_coroutine_threadsafe(self._catalogue.products(missing), self._loop)
            learned = asking.result(_PATIENCE_SECONDS)
            self._database.write(lambda connection: commands.copy_products(connection, learned))
            known |= {product.sku: product for product in learned}
        return {sku: product.is_active for sku, product in known.items()}
