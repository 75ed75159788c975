"""The services' schemas for tests: migrated once per run, emptied for each test that asks."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

from deploy.local import Infrastructure
from deploy.local.preparation import migrations
from deploy.local.readiness import require_done
from deploy.local.services import SCHEMAS

SECONDS = 60.0
SERVICES = {
    "orders": "order_service",
    "inventory": "inventory_service",
    "suppliers": "supplier_service",
    "payments": "payment_service",
}
"""By context; a simulator's schema begins with its context's name."""


class DatabaseUrls(Mapping[str, str]):
    """By schema; the service that owns a schema migrates it when its URL is first asked for."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self._infrastructure = infrastructure
        self._migrated: set[str] = set()

    def __getitem__(self, schema: str) -> str:
        if schema not in SCHEMAS:
            raise KeyError(schema)
        self._migrate(SERVICES[schema.partition("_")[0]])
        return self._infrastructure.environment[f"{schema.upper()}_DATABASE_URL"]

    def __iter__(self) -> Iterator[str]:
        return iter(SCHEMAS)

    def __len__(self) -> int:
        return len(SCHEMAS)

    def empty(self, schema: str) -> str:
        """The schema's URL, with nothing in its tables; the owner does it, because ledgers refuse their own role."""
        url = self[schema]
        owner = make_url(self._infrastructure.database_url).set(database=make_url(url).database)
        engine = create_engine(owner.set(drivername="postgresql+psycopg"))
        truncate(engine, schema)
        engine.dispose()
        return url

    def _migrate(self, service: str) -> None:
        if service in self._migrated:
            return
        local = self._infrastructure
        commands = migrations(local.place, local.environment, local.database_url)
        [command] = [command for command in commands if command.name.startswith(service)]
        require_done(command, local.supervisor.run_all([command], SECONDS)[command.name])
        self._migrated.add(service)


def truncate(engine: Engine, schema: str) -> None:
    with engine.begin() as connection:
        truncate_all(connection, schema)


def truncate_all(connection: Connection, schema: str) -> None:
    """In the caller's transaction; triggers stay silent until its end."""
    tables = text(
        "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables"
        " WHERE schemaname = :schema AND tablename <> 'alembic_version'"
    )
    names = connection.execute(tables, {"schema": schema}).scalar_one()
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text(f"TRUNCATE {names}"))
