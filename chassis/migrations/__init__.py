"""Schemas and how they come to be: role and schema by an owner, then one Alembic history each, under a lock."""

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from chassis.database import Database, rows_of
from chassis.logs import get_logger
from chassis.migrations.provision import provision

_REVISION: Final = re.compile(r'^revision(?:: *str)? *= *"([^"]+)"', re.MULTILINE)
_LOCK: Final = "SELECT pg_advisory_lock(hashtext('migrations of ' || :schema))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext('migrations of ' || :schema))"

log = get_logger(__name__)


class SchemaState(Enum):
    """How a schema stands to the code that wants to use it."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"

    @property
    def is_usable(self) -> bool:
        """Every migration suits the previous release, so a newer schema does as well."""
        return self in (SchemaState.CURRENT, SchemaState.NEWER)


def run_migrations(context: str, url: str, owner_url: str | None, location: Path) -> None:
    """Bring the schema `context` up to date, as its own role; with an owner's URL make role and schema first.

    Runs in any number of processes at once: one migrates, the others find nothing to do.
    """
    if owner_url:
        provision(context, url, owner_url)
    # No lock_timeout and no statement_timeout: a migration takes as long as it takes, and says so.
    options = f"-c search_path={context} -c timezone=UTC"
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args={"options": options, "application_name": f"{context}-migrations", "connect_timeout": 5},
    )
    try:
        with engine.connect() as connection:
            _upgrade(connection, context, location)
    finally:
        engine.dispose()


def _upgrade(connection: Connection, context: str, location: Path) -> None:
    # Imported only here: a service that runs needs nothing of it, and it weighs 12 MB.
    from alembic import command
    from alembic.config import Config

    connection.execute(text(_LOCK), {"schema": context})
    connection.commit()
    config = Config(attributes={"connection": connection, "schema": context})
    config.set_main_option("script_location", _escaped(Path(__file__).parent))
    config.set_main_option("version_locations", _escaped(location))
    config.set_main_option("path_separator", "newline")
    command.upgrade(config, "head")
    connection.execute(text(_UNLOCK), {"schema": context})
    connection.commit()
    log.info("schema is up to date", schema=context, revision=(revisions_in(location) or ["none"])[-1])


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


def revisions_in(location: Path) -> list[str]:
    """The revisions of a history, in the order of their files, `0001_….py` first."""
    found = (_REVISION.search(file.read_text()) for file in sorted(location.glob("[0-9]*.py")))
    return [match.group(1) for match in found if match]


def schema_state(database: Database, location: Path) -> SchemaState:
    """How the schema stands to the migrations at `location`. Raises Unavailable when Postgres is away."""
    return compared(database.read(_applied), revisions_in(location))


def compared(applied: Sequence[str], known: Sequence[str]) -> SchemaState:
    if not applied:
        return SchemaState.MISSING if known else SchemaState.CURRENT
    if any(revision not in known for revision in applied):
        return SchemaState.NEWER
    return SchemaState.CURRENT if known[-1] in applied else SchemaState.OLDER


def _applied(connection: Connection) -> list[str]:
    if rows_of(connection, "SELECT to_regclass('alembic_version') AS name")[0].name is None:
        return []
    return [row.version_num for row in rows_of(connection, "SELECT version_num FROM alembic_version")]
