"""Postgres as after a failover to a standby: every transaction is read only, until it is promoted."""

from typing import Final

import psycopg

_DEMOTE: Final = "ALTER SYSTEM SET default_transaction_read_only = on"
_PROMOTE: Final = "ALTER SYSTEM RESET default_transaction_read_only"


def demote(database_url: str) -> None:
    """SQLSTATE 25006 for whoever writes from now on. Raises psycopg.Error."""
    _tell(database_url, _DEMOTE)


def promote(database_url: str) -> None:
    """As before; harmless when it was not demoted. Raises psycopg.Error."""
    _tell(database_url, _PROMOTE)


def _tell(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True, connect_timeout=3) as connection:
        connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")
