"""A database of its own for a test, made by the code under test and dropped at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from chassis import ids


@contextmanager
def own_database(owner_url: str, role: str) -> Iterator[str]:
    """The URL of a database that is not there yet, as a role that is not there yet; both are gone afterwards."""
    suffix = ids.new_id().replace("-", "")
    name, role = f"chassis_{suffix}", f"{role}_{suffix}"
    url = make_url(owner_url).set(username=role, password=f"hush-{suffix}", database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
