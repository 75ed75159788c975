"""Dependencies run one way: between packages, between rooms, and to libraries."""

import pytest

from tests.architecture.arrows import forbidden_imports
from tests.architecture.sources import PACKAGES, parsed, sources


def test_every_import_follows_the_arrows() -> None:
    complaints = [complaint for source in sources(*PACKAGES) for complaint in forbidden_imports(source)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("order_service/commands.py", "from inventory_service import domain"),
        ("chassis/app.py", "import order_service.domain"),
        ("chassis/app.py", "from protos.orders.v1 import orders_pb2"),
        ("gateway/rest/unary.py", "from order_service.domain import Order"),
        ("gateway/rest/unary.py", "from deploy.local import Stack"),
        ("payment_service/calls.py", "from gateway.client import Client"),
        ("protos/generate.py", "from chassis import clock"),
        ("chassis/clock.py", "from tests.waiting import until"),
    ],
)
def test_a_package_may_not_reach_up_or_across(path: str, line: str) -> None:
    assert list(forbidden_imports(parsed(path, line)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("order_service/domain.py", "from order_service import repository"),
        ("order_service/domain/order.py", "from order_service.wire import order_to_proto"),
        ("order_service/domain.py", "from chassis.clock import now"),
        ("order_service/domain.py", "from chassis import ids"),
        ("order_service/domain.py", "from sqlalchemy import Connection"),
        ("order_service/domain.py", "from protos.orders.v1 import orders_pb2"),
        ("order_service/ports.py", "from order_service.commands import CancelOrder"),
        ("order_service/commands.py", "from order_service.event_handlers import HANDLERS"),
        ("order_service/queries.py", "from order_service.repository import Orders"),
        ("order_service/commands.py", "from order_service.adapters.catalogue import Catalogue"),
        ("order_service/repository.py", "from protos.orders.events.v1.events_pb2 import OrderPlaced"),
        ("order_service/queries.py", "from order_service.commands import place_orders"),
        ("order_service/wire.py", "from .repository import Orders"),
        ("order_service/adapters/catalogue.py", "from order_service.repository import Orders"),
        ("order_service/__init__.py", "from order_service.domain import Order"),
        ("order_service/servicer.py", "from order_service.imports.assembly import build_imports"),
    ],
)
def test_a_room_may_use_only_the_rooms_below_it(path: str, line: str) -> None:
    assert list(forbidden_imports(parsed(path, line)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("order_service/commands.py", "from order_service.imports.commands import begin_import"),
        ("order_service/event_handlers.py", "from order_service import imports"),
        ("order_service/reports/queries.py", "from order_service.imports import queries"),
        ("order_service/imports/commands.py", "from order_service.repository import Orders"),
        ("order_service/imports/domain.py", "from order_service.imports.wire import import_to_proto"),
    ],
)
def test_a_flat_is_used_by_nobody_and_uses_the_commands_around_it(path: str, line: str) -> None:
    assert list(forbidden_imports(parsed(path, line)))


@pytest.mark.parametrize("library", ["kafka", "redis.asyncio", "psycopg"])
def test_only_the_chassis_knows_the_clients_of_the_servers(library: str) -> None:
    assert list(forbidden_imports(parsed("order_service/repository.py", f"import {library}")))
    assert not list(forbidden_imports(parsed("chassis/consumer.py", f"import {library}")))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("order_service/domain.py", "from chassis.errors import Refusal"),
        ("order_service/domain/order.py", "from order_service.domain.status import Status"),
        ("order_service/commands.py", "from order_service import repository"),
        ("order_service/event_handlers.py", "from protos.inventory.events.v1.events_pb2 import StockReserved"),
        ("order_service/imports/commands.py", "from order_service.commands import place_orders"),
        ("order_service/wire.py", "from .domain import Order"),
        ("order_service/__main__.py", "from order_service.imports.servicer import ImportServicer"),
        ("order_service/imports/assembly.py", "from order_service.imports.servicer import ImportServicer"),
        ("deploy/local/welcome.py", "from gateway.client import Client"),
    ],
)
def test_what_the_plan_allows_passes(path: str, line: str) -> None:
    assert not list(forbidden_imports(parsed(path, line)))
