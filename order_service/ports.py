"""What orders needs from the world."""

from collections.abc import Sequence
from typing import Protocol

from order_service.domain import Product


class Catalogue(Protocol):
    """The one question to another context: products that the price copy lacks."""

    async def products(self, skus: Sequence[str]) -> Sequence[Product]:
        """Those of these products that exist. Raises Unavailable when inventory is silent."""
