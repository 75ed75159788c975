"""The simulated provider's books behind the port: for comparing, never for deciding."""

from collections.abc import Sequence

from chassis.database import Row
from payment_service.domain import TheirEntry
from payment_service.simulator.ledger import Ledger


class SimulatedJournal:
    """The books of the provider in this installation."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def entries(self, after: str, until: str, limit: int) -> Sequence[TheirEntry]:
        """The first entries with keys above `after`, up to `until`, in the order of their keys."""
        return _entries(self._ledger.between(after, until, limit))

    def entries_of(self, keys: Sequence[str]) -> Sequence[TheirEntry]:
        """The entries under these keys."""
        return _entries(self._ledger.of(keys))


def _entries(rows: Sequence[Row]) -> list[TheirEntry]:
    return [TheirEntry(row.key, row.captured_minor, row.returned_minor, row.currency) for row in rows]
