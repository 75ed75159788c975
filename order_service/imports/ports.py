"""What imports need from their surroundings."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from chassis.errors import Refusal
from order_service.imports.domain import ImportedOrder


class Catalogue(Protocol):
    """Which products can be ordered."""

    def activity_of(self, skus: Sequence[str]) -> Mapping[str, bool]:
        """Whether each is sold at present; those that do not exist are left out.

        Asks inventory for what the own copy lacks, so never inside a transaction; raises Unavailable when it is silent.
        """


class Orders(Protocol):
    """The parent's way to place orders."""

    def place(
        self, connection: Connection, source: str, orders: Sequence[ImportedOrder], traceparent: str
    ) -> Sequence[str | Refusal]:
        """Within the caller's transaction: the id of each order (on a repeat the first one's), or why there is none."""

    def placed(self) -> None:
        """After the commit: what was placed may be told."""
