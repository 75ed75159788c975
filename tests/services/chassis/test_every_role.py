"""Every role of every service says what is wrong with what it is given, stays, and goes on once that is mended."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy.local import Infrastructure
from tests.databases import SERVICES
from tests.services.chassis.own_database import own_database
from tests.services.chassis.processes import Process, environment, free_port, run_once, running
from tests.services.chassis.test_troubles import await_told, measured, with_password

ROLES: Final = ("api", "worker", "relay", "jobs")
WRONG: Final = "changed-since"
SIMULATED: Final = ("payments", "suppliers")


@dataclass(frozen=True)
class Premises:
    """The databases of one service, and what its processes are told beside their ports."""

    context: str
    owner_url: str
    settings: Mapping[str, str]

    @property
    def module(self) -> str:
        return SERVICES[self.context]

    @property
    def name(self) -> str:
        """The variable with the URL of its own database."""
        return f"{self.context.upper()}_DATABASE_URL"

    def set_revision(self, revision: str) -> None:
        """Of its schema, from now on."""
        database = make_url(self.settings[self.name]).database
        owner = make_url(self.owner_url).set(database=database).render_as_string(hide_password=False)
        with psycopg.connect(owner, autocommit=True) as connection:
            table = sql.Identifier(self.context, "alembic_version")
            connection.execute(sql.SQL("UPDATE {} SET version_num = %s").format(table), [revision])

    def set_password(self, password: str) -> None:
        """Of its role in the database."""
        role = sql.Identifier(make_url(self.settings[self.name]).username or "")
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))

    def told(self, **changes: str) -> dict[str, str]:
        """What one process is told, on ports of its own."""
        return {
            **environment(), **self.settings, "GRPC_PORT": str(free_port()), "METRICS_PORT": str(free_port()), **changes
        }  # fmt: skip


@contextmanager
def premises_of(context: str, infrastructure: Infrastructure) -> Iterator[Premises]:
    with ExitStack() as databases:
        schemas = [context, *([f"{context}_simulator"] if context in SIMULATED else [])]
        urls = {
            f"{schema.upper()}_DATABASE_URL": databases.enter_context(own_database(infrastructure.database_url, schema))
            for schema in schemas
        }
        premises = Premises(context, infrastructure.database_url, {**urls, "REDIS_URL": infrastructure.redis_url})
        told = premises.told(DATABASE_URL=infrastructure.database_url)
        made = run_once(told, "--migrate", module=premises.module)
        assert made.returncode == 0, made.stdout + made.stderr
        yield premises


@pytest.fixture(params=SERVICES)
def premises(request: pytest.FixtureRequest, infrastructure: Infrastructure) -> Iterator[Premises]:
    with premises_of(request.param, infrastructure) as made:
        yield made


@contextmanager
def every_role(premises: Premises, **changes: str) -> Iterator[Mapping[str, Process]]:
    """A process for each; all are there at the end."""
    with ExitStack() as processes:
        found = {
            role: processes.enter_context(running(premises.told(**changes, ROLES=role), premises.module))
            for role in ROLES
        }
        yield found
        assert {role: process.child.poll() for role, process in found.items()} == dict.fromkeys(ROLES)


def all_tell(processes: Mapping[str, Process], trouble: str, reason: str) -> None:
    """Each names the trouble; only the role `api` is not ready for it."""
    for role, process in processes.items():
        await_told(process, "database", "NOT_SERVING", trouble)
        await_told(process, "", "NOT_SERVING" if role == "api" else "SERVING", f"database: {trouble}")
        context = process.settings["OWN_CONTEXT"]
        line = f'{context}_dependency_trouble{{dependency="database",reason="{reason}"}}'
        assert measured(process, line) == "1.0", role


@pytest.mark.timeout(600)
def test_what_is_wrong_is_told_in_every_role_and_each_goes_on_when_it_is_right(premises: Premises) -> None:
    """The password, an older schema, a newer one, one after the other; the brokers are away all the time."""
    url = with_password(premises.settings[premises.name], WRONG)
    premises.set_revision("0001")
    with every_role(premises, **{premises.name: url, "OWN_CONTEXT": premises.context}) as processes:
        all_tell(processes, "the password is refused", "password")

        premises.set_password(WRONG)
        all_tell(processes, "the schema is older than this release", "schema_older")

        premises.set_revision("0099")
        for process in processes.values():
            await_told(process, "database", "SERVING", "the schema is newer than this release")
            await_told(process, "kafka", "NOT_SERVING", "nobody is reached there")
            await_told(process, "", "SERVING", "kafka: nobody is reached there")
            assert measured(process, f'{premises.context}_dependency_up{{dependency="kafka"}}') == "0.0"
