"""Role, schema and history: made by an owner, closed to others, the same when made again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from chassis import ids
from chassis.database import Database, rows_of
from chassis.migrations import SchemaState, run_migrations, schema_state
from deploy.local import Infrastructure
from tests.services.chassis.own_database import own_database
from tests.services.chassis.processes import environment, run_once

HISTORY = Path(__file__).parent / "small_service" / "migrations"

_NEXT = '''"""A step more."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make a table."""
    op.execute("CREATE TABLE later (id int)")
'''


@pytest.fixture
def longer_history(tmp_path: Path) -> Path:
    for file in HISTORY.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "0003_next.py").write_text(_NEXT)
    return tmp_path


def _state(url: str, location: Path) -> SchemaState:
    database = Database(url, schema="orders", application_name="tests")
    try:
        return schema_state(database, location)
    finally:
        database.close()


def test_an_owner_makes_database_role_and_schema_and_again_changes_nothing(infrastructure: Infrastructure) -> None:
    with own_database(infrastructure.database_url, "orders") as url:
        for _ in range(2):
            run_migrations("orders", url, infrastructure.database_url, HISTORY)

        database = Database(url, schema="orders", application_name="tests")
        tables = database.read(
            lambda connection: rows_of(connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'orders'")
        )
        database.close()
        assert {"outbox", "inbox", "dead_letters", "audit", "alembic_version"} <= {row.tablename for row in tables}


def test_the_role_has_no_right_on_other_schemas_nor_on_public(infrastructure: Infrastructure) -> None:
    with (
        own_database(infrastructure.database_url, "orders") as orders,
        own_database(infrastructure.database_url, "inventory") as stranger,
    ):
        run_migrations("orders", orders, infrastructure.database_url, HISTORY)
        inventory = make_url(stranger).set(database=make_url(orders).database).render_as_string(hide_password=False)
        run_migrations("inventory", inventory, infrastructure.database_url, HISTORY)

        for statement in (
            "SELECT * FROM orders.outbox",
            "CREATE TABLE orders.mine (id int)",
            "CREATE TABLE public.mine (id int)",
            "CREATE SCHEMA mine",
        ):
            with psycopg.connect(inventory) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        _leave(infrastructure.database_url, inventory)


def _leave(owner_url: str, url: str) -> None:
    """Take from the role what it has in a database that is not its own, so that it may be dropped."""
    target = make_url(url)
    owner = make_url(owner_url).set(database=target.database).render_as_string(hide_password=False)
    with psycopg.connect(owner) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(target.username or "")))


def test_an_owner_that_is_no_superuser_suffices(infrastructure: Infrastructure) -> None:
    name = f"landlord_{ids.new_id().replace('-', '')}"
    landlord = make_url(infrastructure.database_url).set(username=name, password="rent")
    with psycopg.connect(infrastructure.database_url, autocommit=True) as connection:
        for statement in (
            "CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD 'rent'",
            "GRANT CONNECT ON DATABASE {database} TO {name}",
        ):
            names = {"name": sql.Identifier(name), "database": sql.Identifier(landlord.database or "")}
            connection.execute(sql.SQL(statement).format(**names))
    try:
        with own_database(infrastructure.database_url, "orders") as url:
            run_migrations("orders", url, landlord.render_as_string(hide_password=False), HISTORY)
            assert _state(url, HISTORY) is SchemaState.CURRENT
    finally:
        with psycopg.connect(infrastructure.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_any_number_of_processes_may_migrate_at_once(infrastructure: Infrastructure) -> None:
    with own_database(infrastructure.database_url, "orders") as url, ThreadPoolExecutor(3) as together:
        settings = environment(ORDERS_DATABASE_URL=url, DATABASE_URL=infrastructure.database_url)
        done = [together.submit(run_once, settings, "--migrate") for _ in range(3)]

        assert [future.result().returncode for future in done] == [0, 0, 0]
        assert _state(url, HISTORY) is SchemaState.CURRENT


def test_a_changed_password_is_taken_over(infrastructure: Infrastructure) -> None:
    with own_database(infrastructure.database_url, "orders") as url:
        run_migrations("orders", url, infrastructure.database_url, HISTORY)
        changed = make_url(url).set(password="another: one/@").render_as_string(hide_password=False)
        run_migrations("orders", changed, infrastructure.database_url, HISTORY)

        assert _state(changed, HISTORY) is SchemaState.CURRENT


def test_a_schema_knows_whether_it_is_missing_older_current_or_newer(
    infrastructure: Infrastructure, longer_history: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with own_database(infrastructure.database_url, "orders") as url:
        run_migrations("orders", url, infrastructure.database_url, empty)
        assert _state(url, HISTORY) is SchemaState.MISSING
        run_migrations("orders", url, None, HISTORY)
        assert _state(url, HISTORY) is SchemaState.CURRENT
        assert _state(url, longer_history) is SchemaState.OLDER
        run_migrations("orders", url, None, longer_history)
        assert _state(url, HISTORY) is SchemaState.NEWER
