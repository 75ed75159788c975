"""Supplier services in this process, on schemas that are empty when a test begins."""

from collections.abc import Callable, Iterator

import pytest

from chassis import inbox
from supplier_service.simulator.journal import SCHEMA
from tests.databases import DatabaseUrls
from tests.services.supplier_service.desk import Desk


@pytest.fixture
def urls(database_urls: DatabaseUrls) -> dict[str, str]:
    return {schema: database_urls.empty(schema) for schema in ("suppliers", SCHEMA)}


@pytest.fixture
def a_desk(urls: dict[str, str]) -> Iterator[Callable[..., Desk]]:
    """Makes instances of the service; they end with the test."""
    desks: list[Desk] = []

    def make(*, is_open: bool = True, check_seconds: float = 0.1, address: str = "") -> Desk:
        desk = Desk(urls, check_seconds, address)
        desk.database.write(inbox.renew_partitions)
        desks.append(desk)
        return desk.open() if is_open else desk

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(a_desk: Callable[..., Desk]) -> Desk:
    return a_desk()
