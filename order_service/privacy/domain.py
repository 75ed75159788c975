"""A customer who is being forgotten, or was."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class ForgettingStatus(StrEnum):
    """How far it is."""

    FORGETTING = "FORGETTING"
    FORGOTTEN = "FORGOTTEN"


class Forgetting(NamedTuple):
    """One customer, known by the name that stands in their place; `customer_id` is there while it is needed."""

    pseudonym: str
    customer_id: str | None
    status: ForgettingStatus
    orders: int
    asked_at: datetime
    forgotten_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether nothing of the customer is left."""
        return self.status is ForgettingStatus.FORGOTTEN
