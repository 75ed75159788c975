"""Inventory services in this process, on a schema that is empty when a test begins."""

from collections.abc import Iterator

import pytest

from tests.databases import DatabaseUrls
from tests.services.inventory_service.warehouse import Warehouse


@pytest.fixture
def warehouse(database_urls: DatabaseUrls) -> Iterator[Warehouse]:
    made = Warehouse(database_urls.empty("inventory"))
    yield made
    made.close()


@pytest.fixture
def other(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A second instance of the service on the same schema."""
    made = Warehouse(warehouse.url)
    yield made
    made.close()
