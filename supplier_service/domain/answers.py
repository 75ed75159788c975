"""What is asked of a supplier, and the ways in which it answers, or does not."""

from enum import StrEnum
from typing import NamedTuple


class Question(StrEnum):
    """What is asked of a supplier."""

    RESERVE = "RESERVE"
    CHECK = "CHECK"
    CANCEL = "CANCEL"


class Accepted(NamedTuple):
    """The supplier takes it on."""

    reference: str


class Rejected(NamedTuple):
    """The supplier does not take it on."""

    reason: str


class Delivered(NamedTuple):
    """The goods are here."""


class Delayed(NamedTuple):
    """The supplier needs longer."""


class Underway(NamedTuple):
    """The supplier says neither that they are here nor that they are late."""


class Failed(NamedTuple):
    """The supplier will not deliver."""

    reason: str


class Cancelled(NamedTuple):
    """The supplier has let go of it."""


class TooLate(NamedTuple):
    """The supplier cannot let go of it any more."""


class SupplierTrouble(Exception):
    """No answer: errors and timeouts decide nothing."""


Answer = Accepted | Rejected | Delivered | Delayed | Underway | Failed | Cancelled | TooLate | SupplierTrouble

News = Accepted | Rejected | Delivered | Delayed | Failed
"""What a supplier may tell without being asked."""
