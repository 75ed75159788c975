"""How large the tables of a context are: what is bounded is watched, and what grows is told."""

from typing import Final

from chassis.database import Database, rows_of
from chassis.jobs import Job
from chassis.metrics import gauge

_EVERY_SECONDS: Final = 60.0

# Rows as the planner knows them: to count them would read them all. Partitions count together.
_SIZES: Final = """
SELECT COALESCE(parent.relname, part.relname) AS name, CAST(sum(GREATEST(part.reltuples, 0)) AS bigint) AS rows,
    CAST(sum(pg_total_relation_size(part.oid)) AS bigint) AS bytes
FROM pg_class AS part
LEFT JOIN pg_inherits ON inhrelid = part.oid LEFT JOIN pg_class AS parent ON parent.oid = inhparent
WHERE part.relnamespace = CAST(current_schema() AS regnamespace) AND part.relkind = 'r' GROUP BY 1
"""


def table_sizes(database: Database, context: str) -> Job:
    """Tell once a minute how many rows and bytes each table has, indexes included."""
    rows = gauge(context, "table_rows", "Rows of a table, estimated", "table")
    size = gauge(context, "table_bytes", "Size of a table with its indexes", "table")

    def measure() -> None:
        for found in database.read(lambda connection: rows_of(connection, _SIZES)):
            rows.labels(found.name).set(found.rows)
            size.labels(found.name).set(found.bytes)

    return Job("table sizes", _EVERY_SECONDS, measure)
