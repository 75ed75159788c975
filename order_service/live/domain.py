"""Changes of orders as a stream: what each is called, where it stands in the stream, and what can be watched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from chassis.errors import Refusal
from order_service.domain import Status

RESET: Final = "reset"
"""Begins a stream that cannot go on where its reader left it: what was known is to be forgotten."""
ATTENTION: Final = "OrderAttention"
REFUNDED: Final = "OrderRefunded"

NAMES: Final[Mapping[str, str]] = {
    Status.PENDING: "OrderPlaced",
    Status.RESERVED: "OrderReserved",
    Status.AWAITING_RESTOCK: "OrderAwaitingRestock",
    Status.PAYMENT_PROCESSING: "OrderPaymentStarted",
    Status.COMPLETED: "OrderCompleted",
    Status.CANCELLING: "OrderCancelling",
    Status.CANCELLED: "OrderCancelled",
    Status.COMPENSATING: "OrderCompensating",
    Status.FAILED: "OrderFailed",
    Status.EXPIRED: "OrderExpired",
}
"""What a step into a status is called."""

_GIVEN_BACK: Final = re.compile(r"[0-9.]+ [A-Z]{3} was given back\.")
"""How a refund that succeeded reads in the timeline; what clients write stands behind other words."""
_NIL: Final = "00000000-0000-0000-0000-000000000000"
_POSITION: Final = re.compile(
    r"([0-9]{1,18})(?:-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([0-9]{1,9}))?", re.ASCII
)


class Position(NamedTuple):
    """Where a change stands: its transaction, then its order and version there. Positions grow as the stream does.

    Without an order: before everything that the transaction changed.
    """

    transaction: int
    order_id: str = _NIL
    version: int = 0

    def __str__(self) -> str:
        if self.order_id == _NIL:
            return str(self.transaction)
        return f"{self.transaction}-{self.order_id}-{self.version}"


def position_of(text: str) -> Position | None:
    """The position that an event id names; None where it is none of ours."""
    if (found := _POSITION.fullmatch(text)) is None:
        return None
    transaction, order_id, version = found.groups()
    return Position(int(transaction), order_id, int(version)) if order_id else Position(int(transaction))


class Subject(NamedTuple):
    """What is watched: one order, or all orders of one customer."""

    order_id: str = ""
    customer_id: str = ""


class Change(NamedTuple):
    """A visible change of an order; its payment stands as it stood when this was read.

    Without a position a reader cannot go on behind it: of several resets only the last one has one.
    """

    position: Position | None
    type: str
    order_id: str
    customer_id: str
    status: str
    payment_status: str
    total_minor: int
    currency: str
    reason: str
    version: int
    at: datetime


class Joined(NamedTuple):
    """A watch has begun at a position; with `is_caught_up` its past is told, and the present follows."""

    watch_id: int
    position: Position
    is_caught_up: bool


@dataclass(slots=True)
class Delivery:
    """A change with the watches of this stream that it is for."""

    change: Change
    watch_ids: list[int]


class Ended(NamedTuple):
    """A watch is over."""

    watch_id: int
    error: Refusal


class Reached(NamedTuple):
    """Everything before this position has been told to whoever has caught up."""

    position: Position


Told = Joined | Delivery | Ended | Reached


def name_of(from_status: str | None, to_status: str, reason: str) -> str:
    """What a row of the timeline is called."""
    if from_status != to_status:
        return NAMES[to_status]
    return REFUNDED if _GIVEN_BACK.fullmatch(reason) else ATTENTION


class WatcherTooSlow(Refusal):
    """More has happened than its reader has taken; what it missed is there for whoever asks behind the last id."""

    code = "watcher_too_slow"
    status = "ABORTED"
