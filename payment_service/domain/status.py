"""Where a payment may stand, and the steps that it may take."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a payment stands."""

    INTENT = "INTENT"
    SENDING = "SENDING"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    UNAVAILABLE = "UNAVAILABLE"
    UNKNOWN = "UNKNOWN"
    CLOSED = "CLOSED"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


NEXT_STATUSES: Final[dict[Status, frozenset[Status]]] = {
    Status.INTENT: frozenset({Status.SENDING, Status.CLOSED, Status.UNAVAILABLE}),
    Status.SENDING: frozenset(
        {Status.INTENT, Status.CAPTURED, Status.DECLINED, Status.UNAVAILABLE, Status.UNKNOWN, Status.CLOSED}
    ),
    Status.UNKNOWN: frozenset({Status.CAPTURED, Status.DECLINED, Status.VOIDED}),
    Status.CAPTURED: frozenset({Status.VOIDED, Status.PARTIALLY_REFUNDED, Status.REFUNDED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.REFUNDED}),
    Status.VOIDED: frozenset({Status.CAPTURED}),  # money that shows up late, to be given back
    Status.DECLINED: frozenset({Status.CAPTURED}),  # the same
    Status.UNAVAILABLE: frozenset(),
    Status.CLOSED: frozenset(),
    Status.REFUNDED: frozenset(),
}

PAID: Final = frozenset({Status.CAPTURED, Status.PARTIALLY_REFUNDED, Status.REFUNDED})
UNDECIDED: Final = frozenset({Status.INTENT, Status.SENDING, Status.UNKNOWN})


class IllegalTransition(Exception):
    """A payment was to take a step that its table of states does not have: a bug, never a client's fault."""
