"""How large tables are is told, partitions together."""

from datetime import timedelta

from prometheus_client import REGISTRY

from chassis import clock, ids, inbox
from chassis.database import Database, run_sql
from chassis.sizes import table_sizes


def test_rows_and_bytes_of_each_table_are_told_and_partitions_count_together(database: Database) -> None:
    database.write(inbox.renew_partitions)
    days = [clock.now().date() - timedelta(days=day) for day in (0, 1, 1)]
    for day in days:
        database.write(
            lambda connection, day=day: run_sql(  # type: ignore[misc]
                connection, "INSERT INTO inbox (day, id) VALUES (:day, CAST(:id AS uuid))", day=day, id=ids.new_id()
            )
        )
    database.write(lambda connection: run_sql(connection, "ANALYZE inbox"))

    table_sizes(database, "measured").work()

    assert REGISTRY.get_sample_value("measured_table_rows", {"table": "inbox"}) == 3
    assert (REGISTRY.get_sample_value("measured_table_bytes", {"table": "outbox"}) or 0) > 0
