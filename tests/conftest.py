"""What tests stand on: built protos, real Postgres, Kafka and Valkey, and the whole system."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.local import Infrastructure, Stack, temporary_state
from deploy.local.place import INFRASTRUCTURE_PORTS, PORTS
from deploy.local.ports import HeldPorts
from protos.generate import generate
from tests.databases import DatabaseUrls

# Here, because most test modules import what it makes.
generate()

# A slow machine is no bug in a property.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def infrastructure() -> Iterator[Infrastructure]:
    """Postgres, Kafka and Valkey of this run; what the environment names (DATABASE_URL, …) is used instead."""
    with temporary_state() as state, Infrastructure(state) as running:
        # A service that a test starts beside it finds its port free, whatever connects to whom meanwhile.
        ports = HeldPorts(running.place, print)
        ports.take([name for name in PORTS if name not in INFRASTRUCTURE_PORTS])
        yield running
        ports.release()


@pytest.fixture(scope="session")
def database_urls(infrastructure: Infrastructure) -> DatabaseUrls:
    """By schema, as the service's own role; a schema is migrated when it is first asked for."""
    return DatabaseUrls(infrastructure)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole system on ports of its own, apart from `infrastructure`, because its tests may take any of it down."""
    with temporary_state() as state, Stack(state) as running:
        yield running


@pytest.fixture(scope="session")
def shared() -> Path:
    """Large real data that may lie beside the checkout; the project does not need it."""
    if not SHARED.is_dir():
        pytest.skip("needs the data in ../shared, and this checkout stands alone")
    return SHARED
