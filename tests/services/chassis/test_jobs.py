"""Jobs on a real Postgres: each by one instance at a time, and one that fails holds up none of the others."""

import threading
from collections.abc import Callable

from prometheus_client import REGISTRY

from chassis.database import Database, rows_of, run_sql
from chassis.jobs import Job, JobRunner
from tests.waiting import until


def _told(name: str, job: str) -> float:
    return REGISTRY.get_sample_value(f"chores_{name}", {"job": job}) or 0.0


def _runner(database: Database, *jobs: tuple[str, Callable[[], None]]) -> JobRunner:
    return JobRunner(database, "chores", [Job(name, 0.02, work) for name, work in jobs])


def test_two_instances_at_once_never_do_a_job_at_the_same_time_and_one_follows_the_other(database: Database) -> None:
    """Two who expire or repair the same things at once are two who ask for them twice."""
    at_it, done, most = [0], {"first": 0, "second": 0}, [0]

    def work_of(name: str) -> Callable[[], None]:
        def work() -> None:
            at_it[0] += 1
            most[0] = max(most[0], at_it[0])
            threading.Event().wait(0.01)
            at_it[0] -= 1
            done[name] += 1

        return work

    first, second = (_runner(database, ("sweep", work_of(name))) for name in done)
    first.start()
    assert until(lambda: done["first"] >= 3)
    second.start()
    assert until(lambda: done["first"] >= 10)
    assert (done["second"], most) == (0, [1])
    first.stop()
    assert until(lambda: done["second"] >= 3), "the lease was given back"
    second.stop()
    assert most == [1]


def test_who_froze_loses_the_lease_to_the_next(database: Database) -> None:
    done: list[int] = []
    runner = _runner(database, ("sweep", lambda: done.append(1)))
    take = "INSERT INTO leases VALUES ('jobs', 'frozen', now() + interval '1 second')"
    database.write(lambda connection: run_sql(connection, take))
    runner.start()
    assert until(lambda: done)
    runner.stop()
    assert database.read(lambda connection: rows_of(connection, "SELECT 1 FROM leases WHERE name = 'jobs'")) == []


def test_a_job_that_fails_is_told_and_the_others_go_on(database: Database) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ZeroDivisionError("planted")

    runner = _runner(database, ("broken", fail), ("sound", lambda: done.append(1)))
    runner.start()
    assert until(lambda: len(done) >= 3)
    runner.stop()
    [row] = database.read(lambda connection: rows_of(connection, "SELECT name, last_error FROM jobs"))
    assert (row.name, row.last_error) == ("broken", "planted")
    assert _told("job_failures_total", "broken") >= 3
    assert _told("job_done_timestamp_seconds", "broken") == 0


def test_a_job_that_comes_too_late_says_by_how_much(database: Database) -> None:
    is_seen = threading.Event()

    def hold_up() -> None:  # in every round, for each tells its own lag
        is_seen.wait(0.3)

    runner = _runner(database, ("slow", hold_up), ("late", lambda: None))
    runner.start()
    assert until(lambda: _told("job_lag_seconds", "late") > 0.2)
    is_seen.set()
    runner.stop()
    assert _told("job_done_timestamp_seconds", "late") > 0
