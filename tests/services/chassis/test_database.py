"""Transactions that are tried again when the database, not they, is to blame."""

import psycopg
import pytest

from chassis.database import Database, DatabaseAway, LostUpdate, rows_of, run_sql


def test_a_transaction_whose_session_was_ended_is_run_again(database: Database) -> None:
    tries: list[int] = []

    def work(connection):  # type: ignore[no-untyped-def]
        tries.append(1)
        if len(tries) == 1:
            pid = rows_of(connection, "SELECT pg_backend_pid() AS pid")[0].pid
            with database.begin() as other:
                run_sql(other, "SELECT pg_terminate_backend(:pid)", pid=pid)
        return rows_of(connection, "SELECT 1 AS one")[0].one

    assert database.write(work) == 1
    assert len(tries) == 2


def test_a_demoted_server_counts_as_a_lost_connection(database: Database) -> None:
    """SQLSTATE 25006 comes over a healthy connection: only a new one leads to the new primary (promise P9)."""
    database.write(lambda connection: run_sql(connection, "CREATE TABLE marks (mark int)"))
    tries: list[int] = []

    def work(connection):  # type: ignore[no-untyped-def]
        tries.append(1)
        if len(tries) == 1:
            run_sql(connection, "SET TRANSACTION READ ONLY")
        run_sql(connection, "INSERT INTO marks VALUES (1)")

    database.write(work)

    assert len(database.read(lambda connection: rows_of(connection, "SELECT * FROM marks"))) == 1


def test_a_lost_update_starts_over_and_a_bug_does_not(database: Database) -> None:
    tries: list[int] = []

    def loses_once(connection):  # type: ignore[no-untyped-def]
        tries.append(1)
        if len(tries) == 1:
            raise LostUpdate("somebody was quicker")
        return len(tries)

    assert database.write(loses_once) == 2
    with pytest.raises(psycopg.Error):
        database.write(lambda connection: run_sql(connection, "SELECT 1 / 0"))


def test_a_database_that_is_away_is_told_as_such() -> None:
    nowhere = Database("postgresql://nobody:secret@127.0.0.1:9/none", schema="none", application_name="tests")

    with pytest.raises(DatabaseAway) as refusal:
        nowhere.write(lambda connection: None)

    assert "secret" not in str(refusal.value)
    nowhere.close()


def test_ids_come_back_as_text_and_sessions_have_their_limits(database: Database) -> None:
    sql = (
        "SELECT CAST('0190b6b2-0000-7000-8000-000000000000' AS uuid) AS id,"
        " current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('lock_timeout') AS locks"
    )
    row = database.read(lambda connection: rows_of(connection, sql))[0]

    assert (row.id, row.idle, row.locks) == ("0190b6b2-0000-7000-8000-000000000000", "5s", "2s")
