"""A clean slate on the same infrastructure: nothing in the tables, nothing left to read, the services started anew."""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

import inventory_service.event_handlers
import order_service.event_handlers
import supplier_service.event_handlers
from deploy.local.services import BACKENDS, SCHEMAS
from tests.chaos.links import LinkedStack
from tests.chaos.topics import set_offsets
from tests.databases import truncate_all

GROUPS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "order_service": {
        "orders": order_service.event_handlers.TOPICS,
        "orders.prices": order_service.event_handlers.PRODUCT_TOPICS,
    },
    "inventory_service": {"inventory": inventory_service.event_handlers.TOPICS},
    "payment_service": {"payments": ("payments.requests",)},
    "supplier_service": {"suppliers": supplier_service.event_handlers.TOPICS},
}
"""By service, its consumer groups and what each reads."""


def groups() -> Iterator[tuple[str, tuple[str, ...]]]:
    for of_service in GROUPS.values():
        yield from of_service.items()


def begin_afresh(stack: LinkedStack, bug: str, further: Mapping[str, Mapping[str, str]]) -> None:
    """As after the very first start, with a bug planted in every service, or none when it is not named."""
    names = [service.name for service in BACKENDS]
    stack.infrastructure.supervisor.stop(names)
    _empty(stack.infrastructure.database_url)
    for group, topics in groups():
        set_offsets(stack.infrastructure.kafka_bootstrap_servers, group, topics)
    stack.plant(bug, further)
    stack.bring_up_all(names)


def _empty(database_url: str) -> None:
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for schema in SCHEMAS:
            truncate_all(connection, schema)
    engine.dispose()
