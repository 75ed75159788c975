"""Who may do what only one may do: a row with an owner and an end, by the database's clock.

A row, not a session lock: it survives connection poolers, and a frozen owner loses it (protocols: the relay).
"""

from typing import Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql

TAKE: Final = """
INSERT INTO leases AS held (name, owner, until)
VALUES ({name}, :owner, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE held.owner = excluded.owner OR held.until < clock_timestamp()
RETURNING 1
"""
"""As a part of larger statements, with the lease's name written in."""
_TAKE_BY_NAME: Final = TAKE.format(name=":name")


def take(connection: Connection, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease `name` for `seconds`; False when somebody else has it."""
    return bool(rows_of(connection, _TAKE_BY_NAME, name=name, owner=owner, seconds=seconds))


def give_back(connection: Connection, name: str, owner: str) -> None:
    """Let the next one have it at once."""
    run_sql(connection, "DELETE FROM leases WHERE name = :name AND owner = :owner", name=name, owner=owner)
