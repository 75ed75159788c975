"""Order services in this process, on a schema that is empty when a test begins."""

from collections.abc import Iterator

import pytest

from tests.databases import DatabaseUrls
from tests.services.order_service.shop import Shop


@pytest.fixture
def shop(database_urls: DatabaseUrls) -> Iterator[Shop]:
    made = Shop(database_urls.empty("orders"))
    made.sell("A", "B", "C")
    yield made
    made.close()


@pytest.fixture
def other(shop: Shop) -> Iterator[Shop]:
    """A second instance of the service on the same schema."""
    made = Shop(shop.url)
    yield made
    made.close()
