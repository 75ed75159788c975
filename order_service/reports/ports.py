"""What reports need from Redis: boards that are read quickly, and a cache. Both may be away at any time."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from order_service.reports.domain import Board, Figures, Place


class BoardsAway(Exception):
    """Redis does not answer."""


class NotThisEdition(Exception):
    """What is in Redis is another edition, a newer state of this one, or nothing at all."""


class BoardWriter(Protocol):
    """The boards as the job writes them, an edition at a time. Every method raises BoardsAway."""

    def edition(self) -> int:
        """The edition that is published; 0 where there is none."""

    def load(self, edition: int, board: Board, figures: Sequence[Figures]) -> None:
        """Add a page to an edition that nobody reads yet."""

    def publish(self, edition: int, sizes: Mapping[Board, int]) -> None:
        """From now on this edition is read, and the one before is gone.

        Raises NotThisEdition when its boards have not so many members: something was lost on the way.
        """

    def change(
        self, edition: int, turn: int, changed: Mapping[Board, Sequence[Figures]], gone: Mapping[Board, Sequence[str]]
    ) -> None:
        """Write these totals, and take those members away that are gone, as it was at this turn.

        Raises NotThisEdition, also when a later turn was written.
        """


class BoardReader(Protocol):
    """The boards as they are read. None where Redis is away, or has another edition than the one asked for."""

    async def top(self, edition: int, board: Board, measure: str, limit: int) -> list[Place] | None:
        """The first places by one of the board's measures."""

    async def place_of(self, edition: int, board: Board, measure: str, member: str) -> list[Place] | None:
        """The place of a member, alone in a list; an empty one where they have none."""


class Cache(Protocol):
    """Keeps answers for a while; without Redis it keeps nothing, and never fails."""

    async def find(self, key: str) -> Any:
        """What was kept under this key, or None."""

    async def keep(self, key: str, value: Any, seconds: int) -> None:
        """Keep it for so long."""
