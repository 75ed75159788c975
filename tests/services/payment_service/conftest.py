"""Payment services in this process, on schemas that are empty when a test begins."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis import inbox
from payment_service.ports import PaymentProvider
from payment_service.simulator.journal import SCHEMA
from tests.databases import DatabaseUrls
from tests.services.payment_service.desk import Books, Desk, a_policy


@pytest.fixture
def urls(database_urls: DatabaseUrls) -> dict[str, str]:
    return {schema: database_urls.empty(schema) for schema in ("payments", SCHEMA)}


@pytest.fixture
def a_desk(urls: dict[str, str]) -> Iterator[Callable[..., Desk]]:
    """Makes instances of the service: `a_desk(attempts=1)`; they end with the test."""
    desks: list[Desk] = []

    def make(
        *, is_open: bool = True, in_flight: int = 64, provider: PaymentProvider | None = None, **policy: Any
    ) -> Desk:
        desk = Desk(urls, a_policy(**policy), in_flight, provider)
        desk.database.write(inbox.renew_partitions)
        desks.append(desk)
        return desk.open() if is_open else desk

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(a_desk: Callable[..., Desk]) -> Desk:
    return a_desk()


@pytest.fixture
def books(desk: Desk) -> Books:
    return desk.books
