"""What was asked of the provider for one payment, and with what outcome."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from payment_service.domain.answers import (
    Answer,
    Captured,
    Declined,
    NotFound,
    NotSent,
    ProviderTrouble,
    Question,
    Refunded,
    Refused,
    Voided,
)

MOST_ATTEMPTS: Final = 100
"""Attempts kept in a payment's row: the first, and the newest of the others."""
NOT_FOUND: Final = "not_found"
VOIDED: Final = "voided"
LOST: Final = "lost"
"""What an attempt shows whose caller died: nobody knows whether it was sent."""


@dataclass(slots=True)
class Attempt:
    """One question to the provider; without an outcome while nobody has heard of an answer."""

    kind: Question
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = ""
    detail: str = ""


def trailing_not_sent(attempts: Iterable[Attempt]) -> int:
    """How many charges in a row, up to the last, could not be sent."""
    times = 0
    for attempt in attempts:
        if attempt.kind is Question.CHARGE:
            times = times + 1 if attempt.outcome == NotSent.outcome else 0
    return times


def sends_of(attempts: Iterable[Attempt]) -> list[datetime]:
    """When charges were sent, or may have been."""
    return [a.started_at for a in attempts if a.kind is Question.CHARGE and a.outcome != NotSent.outcome]


def misses_of(attempts: Iterable[Attempt]) -> list[datetime]:
    """When the provider was asked, and knew nothing."""
    return [a.started_at for a in attempts if a.kind is Question.LOOK_UP and a.outcome == NOT_FOUND]


def was_taken_back(attempts: Iterable[Attempt]) -> bool:
    """The provider has said that it gave the money back."""
    return any(attempt.outcome == VOIDED for attempt in attempts)


def outcome_of(answer: Answer) -> tuple[str, str]:
    """What an attempt shows of an answer: a word, and its detail."""
    match answer:
        case Captured():
            return "captured", ""
        case Declined():
            return "declined", answer.reason
        case Voided():
            return VOIDED, ""
        case NotFound():
            return NOT_FOUND, ""
        case Refunded():
            return "refunded", ""
        case Refused():
            return "refused", answer.reason
        case ProviderTrouble():
            return answer.outcome, str(answer)
