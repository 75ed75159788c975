"""How the simulated suppliers behave: a pure function of scenario, request number, seed and key."""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final

_LARGEST: Final = 1_000_000
_SLOW_MS: Final = 2_000
_SLOWER_MS: Final = 1_000


class Reply(StrEnum):
    """What a supplier says; ERROR is a 500, UNKNOWN a 404: it has no such supplier order."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    UNDERWAY = "underway"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one question is answered, how long that takes, and in how many seconds a webhook follows, if one does."""

    reply: Reply
    after_ms: int = 0
    webhook_after: float | None = None


@dataclass(frozen=True, slots=True)
class Chances:
    """What `random` does, and a product that names no scenario; each in percent."""

    slow_submissions: int = 0
    failing_submissions: int = 0
    failing_checks: int = 0
    failing_deliveries: int = 0
    seed: int = 1


CALM: Final = Chances()
LIFELIKE: Final = Chances(slow_submissions=20, failing_submissions=20, failing_checks=10, failing_deliveries=10)

_PLAIN: Final = frozenset({"ok", "delayed_forever", "fail", "reject", "random"})
_WITH_NUMBER: Final = frozenset({"delayed_then_ok", "error_then_ok", "webhook_ok"})


def chances_of(simulation: str, seed: int) -> Chances:
    """What is left to chance in a calm or a lifelike world."""
    usual = LIFELIKE if simulation == "lifelike" else CALM
    return replace(usual, seed=seed)


def reserve_plan(scenario: str, *, request_number: int, key: str, chances: Chances) -> Plan:
    """What a request for goods is answered; `request_number` counts from 1 under each key."""
    name, number = _parsed(scenario)
    if name in ("reject", "unknown"):
        return Plan(Reply.REJECTED)
    if name == "error_then_ok":
        return Plan(Reply.ERROR if request_number <= number else Reply.ACCEPTED)
    if name == "random":
        return _random_reserve(request_number, key, chances)
    return Plan(Reply.ACCEPTED, webhook_after=number if name == "webhook_ok" else None)


def check_plan(scenario: str, *, check_number: int, seconds: float, key: str, chances: Chances) -> Plan:
    """What a check is answered; `seconds` is how long ago the supplier took it on."""
    name, number = _parsed(scenario)
    if name == "delayed_forever" or (name == "delayed_then_ok" and check_number <= number):
        return Plan(Reply.DELAYED)
    if name == "fail":
        return Plan(Reply.FAILED)
    if name == "webhook_ok" and seconds < number:
        return Plan(Reply.UNDERWAY)
    if name == "random":
        return _random_check(check_number, key, chances)
    return Plan(Reply.DELIVERED)


def _parsed(scenario: str) -> tuple[str, int]:
    """The scenario's name and its number; none is left to chance, and one that does not exist is `unknown`."""
    name, colon, text = (scenario or "random").partition(":")
    if not colon:
        return (name, 0) if name in _PLAIN else ("unknown", 0)
    is_number = text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= _LARGEST
    return (name, int(text)) if name in _WITH_NUMBER and is_number else ("unknown", 0)


def _random_reserve(request_number: int, key: str, chances: Chances) -> Plan:
    is_failing = _luck("submission", key, request_number, chances) < chances.failing_submissions
    luck = _luck("slowness", key, request_number, chances)
    slow_ms = _SLOW_MS + luck * _SLOWER_MS // chances.slow_submissions if luck < chances.slow_submissions else 0
    return Plan(Reply.ERROR if is_failing else Reply.ACCEPTED, slow_ms)


def _random_check(check_number: int, key: str, chances: Chances) -> Plan:
    if _luck("check", key, check_number, chances) < chances.failing_checks:
        return Plan(Reply.ERROR)
    is_lost = _luck("delivery", key, 0, chances) < chances.failing_deliveries
    return Plan(Reply.FAILED if is_lost else Reply.DELIVERED)


def _luck(what: str, key: str, number: int, chances: Chances) -> int:
    """0 to 99, the same each time for the same seed, key, question and number."""
    digest = blake2b(f"{chances.seed}:{what}:{key}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 100
