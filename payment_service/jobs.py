"""What time makes us do with payments: compare the provider's books with ours, and count who still waits."""

from collections.abc import Sequence
from typing import Final

from chassis import clock
from chassis.database import Database
from chassis.jobs import Job
from chassis.logs import get_logger
from chassis.metrics import gauge
from payment_service import commands, queries
from payment_service.domain import Difference, OurEntry, TheirEntry, differences
from payment_service.ports import ProviderJournal
from payment_service.tables import CONTEXT

RECONCILE_EVERY_SECONDS: Final = 1.0
_BATCH: Final = 1_000
_FIRST: Final = "00000000-0000-0000-0000-000000000000"
_COUNT_EVERY_SECONDS: Final = 15.0
_AGES: Final = {60: "under a minute", 3_600: "under an hour", 86_400: "under a day"}
_OLDER: Final = "a day or more"

log = get_logger(__name__)


class Reconciliation:
    """Goes through the provider's books and ours side by side, a batch each time, pass after pass.

    `grace_seconds`: how long a difference must last to be told; what is younger is not even looked at.
    """

    def __init__(
        self, database: Database, journal: ProviderJournal, *, every_seconds: float, grace_seconds: float,
        batch: int = _BATCH,
    ) -> None:  # fmt: skip
        self._database = database
        self._journal = journal
        self._every_seconds = every_seconds
        self._grace_seconds = grace_seconds
        self._batch = batch
        self._after = _FIRST
        self._next_pass_at = 0.0
        self._differences = gauge(
            CONTEXT, "ledger_differences", "Payments that the provider's books and ours disagree about"
        )

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("reconciliation", RECONCILE_EVERY_SECONDS, self.compare)

    def compare(self) -> None:
        """Compare the next batch, and once more what was found to differ before."""
        known = self._database.read(lambda connection: queries.differing(connection, self._batch))
        if known:
            self._note(known, self._journal.entries_of(known), self._ours_of(known))
        if self._after != _FIRST or clock.monotonic() >= self._next_pass_at:
            self._compare_next()
        self._differences.set(self._database.read(queries.count_differences))

    def _compare_next(self) -> None:
        if self._after == _FIRST:
            self._next_pass_at = clock.monotonic() + self._every_seconds
        until = _last_id_before(clock.unix_ms() - round(self._grace_seconds * 1000))
        after, size = self._after, self._batch
        theirs = self._journal.entries(after, until, size)
        ours = self._database.read(lambda connection: queries.entries(connection, after, until, size))
        # Up to where both were read in full; the rest comes with the next batch.
        ends = [theirs[-1].key] if len(theirs) == size else []
        ends += [ours[-1].payment_id] if len(ours) == size else []
        self._after = min(ends, default=_FIRST)
        end = min([until, *ends])
        mine = {entry.payment_id: entry for entry in ours if entry.payment_id <= end}
        their = [entry for entry in theirs if entry.key <= end]
        self._note(sorted(mine.keys() | {entry.key for entry in their}), their, mine)

    def _ours_of(self, keys: Sequence[str]) -> dict[str, OurEntry]:
        entries = self._database.read(lambda connection: queries.entries_of(connection, keys))
        return {entry.payment_id: entry for entry in entries}

    def _note(self, looked_at: Sequence[str], theirs: Sequence[TheirEntry], ours: dict[str, OurEntry]) -> None:
        if not looked_at:
            return
        found = differences(theirs, ours)
        for difference in self._told(looked_at, found):
            log.error("the books differ", **difference._asdict())

    def _told(self, looked_at: Sequence[str], found: Sequence[Difference]) -> list[Difference]:
        return self._database.write(
            lambda connection: commands.note_differences(connection, found, looked_at, self._grace_seconds)
        )


def _last_id_before(unix_ms: int) -> str:
    """The highest UUIDv7 that can have been made up to a moment."""
    time = f"{max(unix_ms, 0):012x}"
    return f"{time[:8]}-{time[8:]}-7fff-bfff-ffffffffffff"


class Doubts:
    """Counts the unknown payments by how long they have been so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        waiting = gauge(CONTEXT, "unknown", "Payments of which nobody can say what became of them", "age")
        self._gauges = [waiting.labels(age) for age in (*_AGES.values(), _OLDER)]

    @property
    def job(self) -> Job:
        """What the service's job runner is to do."""
        return Job("unknown payments", _COUNT_EVERY_SECONDS, self.count)

    def count(self) -> None:
        """Set the gauges to what is so now."""
        counts = self._database.read(lambda connection: queries.unknown_by_age(connection, list(_AGES)))
        for waiting, payments in zip(self._gauges, counts, strict=True):
            waiting.set(payments)
