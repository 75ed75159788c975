"""What an owner makes for a context: the database where it is missing, the role, and the schema that is its own."""

from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from chassis.logs import get_logger

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('order-system provision'))"

log = get_logger(__name__)


def provision(context: str, url: str, owner_url: str) -> None:
    """Make the role of `url`, with its password, and the schema `context`, which that role owns; again changes nothing.

    Nobody else may use the schema, and nobody at all the schema `public`.
    """
    target, owner = make_url(url), make_url(owner_url)
    _make_database(owner, target)
    with _connect(owner.set(database=target.database)) as connection:
        connection.execute(_LOCK)
        role = target.username or context
        if role != connection.info.user:
            _make_role(connection, role, target.password or "")
        _make_schema(connection, context, role)
        _close_to_others(connection, target.database or "", role)
    log.info("role and schema are there", schema=context, role=role, database=target.database)


def _connect(url: URL, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    # Not as text: what a password may contain, a URL may not.
    told: dict[str, Any] = {**url.query, **url.translate_connect_args(username="user", database="dbname")}
    return psycopg.connect(**{"connect_timeout": 5} | told, autocommit=autocommit)


def _make_database(owner: URL, target: URL) -> None:
    with _connect(owner, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [target.database]).fetchone():
            return
        statement = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0")
        try:
            connection.execute(statement.format(sql.Identifier(target.database or "")))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            log.info("database was made by somebody else just now", database=target.database)


def _make_role(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    # Sent as a verifier, so that the password stands in no server log.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), sql.Literal(verifier))
    connection.execute(statement)
    if not _is_superuser(connection):
        # Who is no superuser must be a member of the role to make a schema that the role owns.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _is_superuser(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _make_schema(connection: psycopg.Connection[Any], schema: str, role: str) -> None:
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role}",
        "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
        "ALTER ROLE {role} SET search_path = {schema}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def _close_to_others(connection: psycopg.Connection[Any], database: str, role: str) -> None:
    names = {"database": sql.Identifier(database), "role": sql.Identifier(role)}
    for statement in (
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    ):
        try:
            with connection.transaction():
                connection.execute(sql.SQL(statement).format(**names))
        except psycopg.errors.InsufficientPrivilege as error:
            log.warning("an owner with more rights should do this", statement=statement, error=str(error).strip())
