"""How the simulated provider behaves: a pure function of payment method, request number, seed and key."""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Final

_LONGEST_MS: Final = 86_400_000
_ERRORS_FIRST: Final = 2


class Effect(StrEnum):
    """What a charge does to the provider's books."""

    CAPTURE = "captured"
    DECLINE = "declined"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request does and how it is answered.

    `effect_after_ms`: the money is taken, and can be found, only so much later; `answer_after_ms`: how long the answer
    takes; `is_silent`: no answer ever comes; `is_error`: the answer is a 500.
    """

    effect: Effect = Effect.CAPTURE
    effect_after_ms: int = 0
    answer_after_ms: int = 0
    is_silent: bool = False
    is_error: bool = False
    decline_code: str = ""
    decline_reason: str = ""


@dataclass(frozen=True, slots=True)
class Chances:
    """What `sim_random` does: so many of a hundred succeed, in so many milliseconds."""

    success_percent: int = 100
    least_ms: int = 0
    most_ms: int = 0
    seed: int = 1


CALM: Final = Chances()
LIFELIKE: Final = Chances(success_percent=80, least_ms=50, most_ms=200)

_OK: Final = Plan()
_ERROR: Final = Plan(effect=Effect.NONE, is_error=True)


def chances_of(simulation: str, success_percent: int | None, seed: int) -> Chances:
    """What is left to chance in a calm or a lifelike world; None: as many payments succeed as is usual there."""
    usual = LIFELIKE if simulation == "lifelike" else CALM
    success = usual.success_percent if success_percent is None else success_percent
    return replace(usual, success_percent=success, seed=seed)


def _declined(code: str, reason: str) -> Plan:
    return Plan(effect=Effect.DECLINE, decline_code=code, decline_reason=reason)


_DECLINED: Final = _declined("card_declined", "The card was declined.")
_INSUFFICIENT_FUNDS: Final = _declined("insufficient_funds", "The account does not hold that much.")
_UNSUPPORTED: Final = _declined("unsupported_payment_method", "This payment method is not supported.")


def depends_on_earlier_requests(method: str) -> bool:
    """Whether the plan of a request depends on how many came before it under its key."""
    return method in ("sim_error_then_ok", "sim_timeout_not_charged")


def plan_of(method: str, *, request_number: int, key: str, chances: Chances) -> Plan:
    """What the request does; `request_number` counts from 1 under each key."""
    name, _, milliseconds = method.partition(":")
    if milliseconds:
        return _timed_plan(name, milliseconds)
    match name:
        case "sim_ok":
            return _OK
        case "sim_random":
            return _random_plan(key, chances)
        case "sim_declined":
            return _DECLINED
        case "sim_insufficient_funds":
            return _INSUFFICIENT_FUNDS
        case "sim_error_then_ok":
            return _ERROR if request_number <= _ERRORS_FIRST else _OK
        case "sim_timeout_charged":
            return Plan(is_silent=True)
        case "sim_timeout_not_charged":
            return Plan(effect=Effect.NONE, is_silent=True) if request_number == 1 else _OK
    return _UNSUPPORTED


def _timed_plan(name: str, text: str) -> Plan:
    if not (text.isascii() and text.isdigit()) or int(text) > _LONGEST_MS:
        return _UNSUPPORTED
    if name == "sim_slow":
        return Plan(answer_after_ms=int(text))
    if name == "sim_timeout_late_charge":
        return Plan(effect_after_ms=int(text), is_silent=True)
    return _UNSUPPORTED


def _random_plan(key: str, chances: Chances) -> Plan:
    """The outcome is a function of seed and payment, so that a run can be repeated and a retry is told the same."""
    digest = blake2b(f"{chances.seed}:{key}".encode(), digest_size=8).digest()
    luck, speed = int.from_bytes(digest[:4]), int.from_bytes(digest[4:])
    after_ms = chances.least_ms + speed % (chances.most_ms - chances.least_ms + 1)
    if luck % 100 < chances.success_percent:
        return Plan(answer_after_ms=after_ms)
    return Plan(
        effect=Effect.DECLINE,
        answer_after_ms=after_ms,
        decline_code=_DECLINED.decline_code,
        decline_reason=_DECLINED.decline_reason,
    )
