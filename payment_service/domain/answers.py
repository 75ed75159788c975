"""What is asked of a payment provider, and the ways in which it answers, or does not."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NamedTuple


class Question(StrEnum):
    """What an attempt asks for."""

    CHARGE = "CHARGE"
    LOOK_UP = "LOOK_UP"
    VOID = "VOID"
    REFUND = "REFUND"
    REFUND_LOOK_UP = "REFUND_LOOK_UP"


class Captured(NamedTuple):
    """The money was taken."""

    reference: str
    amount_minor: int
    currency: str


class Declined(NamedTuple):
    """The provider said no; this is final."""

    code: str
    reason: str


class NotFound(NamedTuple):
    """The provider knows nothing under our key, yet."""


class Voided(NamedTuple):
    """What was, or would have been, charged under our key has been taken back."""

    reference: str


class Refunded(NamedTuple):
    """The money was given back."""

    reference: str
    amount_minor: int
    currency: str


class Refused(NamedTuple):
    """The provider will not take it back."""

    reason: str


class ProviderTrouble(Exception):
    """No answer that decides anything; `outcome` is what an attempt that met it shows."""

    outcome: ClassVar[str]


class NotSent(ProviderTrouble):
    """The request certainly never reached the provider."""

    outcome = "not_sent"


class ErrorAnswer(ProviderTrouble):
    """The provider answered with an error (5xx, 429): it may, or may not, have done what was asked."""

    outcome = "error"


class TimedOut(ProviderTrouble):
    """The request was sent, and no answer came."""

    outcome = "timeout"


Answer = Captured | Declined | NotFound | Voided | Refunded | Refused | ProviderTrouble


class Asked(NamedTuple):
    """One question with its answer. `is_taken_over`: who was to ask before has died, nobody knows how far it came."""

    question: Question
    answer: Answer
    started_at: datetime
    ended_at: datetime
    is_taken_over: bool = False
