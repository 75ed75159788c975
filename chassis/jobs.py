"""What time makes us do: each job by one instance at a time, however many there are."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from chassis import clock, ids, leases
from chassis.database import Database, run_sql
from chassis.logs import get_logger
from chassis.metrics import JobMetrics

_LEASE_SECONDS: Final = 15.0
_ERROR_LENGTH: Final = 500

log = get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """`work` is run every so many seconds, in batches short enough that the others come to their turn."""

    name: str
    every_seconds: float
    work: Callable[[], None]


class JobRunner:
    """Runs jobs on one thread, under one lease for all of them; without the lease it stands by."""

    def __init__(self, database: Database, context: str, jobs: Sequence[Job]) -> None:
        self._database = database
        self._context = context
        self._jobs = jobs
        self._metrics = JobMetrics(context)
        self._owner = ids.new_id()
        self._due = {job.name: clock.monotonic() for job in jobs}
        self._leased_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{context}-jobs", daemon=True)

    def start(self) -> None:
        """Begin to run jobs, in a thread of its own."""
        if self._jobs:
            self._thread.start()

    def stop(self) -> None:
        """End the present job, give the lease back, return when done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=20)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(max(0.0, min(self._due.values()) - clock.monotonic()))
            for job in self._jobs:
                late = clock.monotonic() - self._due[job.name]
                if not self._stopping.is_set() and late >= 0:
                    self._due[job.name] = clock.monotonic() + job.every_seconds
                    self._run_one(job, late)
        self._leave()

    def _run_one(self, job: Job, late: float) -> None:
        try:
            if self._leads():
                self._metrics.began(job.name, late)
                job.work()
                self._metrics.done(job.name)
        except Exception as error:  # an edge: the other jobs go on, and this one comes again
            log.exception("job failed", job=job.name, error_type=type(error).__name__)
            self._metrics.failed(job.name)
            self._note(job, str(error)[:_ERROR_LENGTH])

    def _leads(self) -> bool:
        # Renewed long before its end: a job of a second's interval must not cost a commit a second.
        if clock.monotonic() < self._leased_until - _LEASE_SECONDS * 2 / 3:
            return True
        asked_at = clock.monotonic()
        if self._database.write(self._take_lease):
            self._leased_until = asked_at + _LEASE_SECONDS
            return True
        self._leased_until = 0.0
        return False

    def _take_lease(self, connection: Connection) -> bool:
        return leases.take(connection, "jobs", self._owner, _LEASE_SECONDS)

    def _note(self, job: Job, error: str) -> None:
        sql = (
            "INSERT INTO jobs (name, last_failed_at, last_error) VALUES (:name, now(), :error)"
            " ON CONFLICT (name) DO UPDATE SET last_failed_at = now(), last_error = excluded.last_error"
        )
        try:
            self._database.write(lambda connection: run_sql(connection, sql, name=job.name, error=error))
        except Exception as again:  # an edge: the log has it
            log.warning("job failure could not be noted", job=job.name, error=str(again))

    def _leave(self) -> None:
        try:
            self._database.write(lambda connection: leases.give_back(connection, "jobs", self._owner))
        except Exception as error:  # an edge: on the way out; the lease ends by itself
            log.warning("jobs could not give their lease back", context=self._context, error=str(error))
