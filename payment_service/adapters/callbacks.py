"""What the simulated provider sends of itself: JSON, signed as chassis.webhooks says.

    {"type": "payment.captured", "key": "<payment id>", "reference": "…", "amount_minor": 510, "currency": "GBP"}
    {"type": "payment.declined", "key": "…", "code": "card_declined", "reason": "…"}
    {"type": "payment.voided", "key": "…", "reference": "…"}

Other types are taken and ignored: a provider may tell more than we knew when this was written.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from chassis.errors import ValidationFailed
from chassis.ids import is_id
from chassis.webhooks import WebhookSecret
from payment_service.domain import Captured, Declined, Voided
from payment_service.ports import Notice

_LONGEST: Final = 255


class SignedCallbacks:
    """Opens what was signed with the secret that we share with a provider."""

    def __init__(self, secret: str) -> None:
        self._secret = WebhookSecret(secret)

    def open(self, timestamp: str, signature: str, body: bytes) -> Notice | None:
        """What it says; None: nothing that is of use. Raises BadSignature, ValidationFailed."""
        self._secret.verify(timestamp, signature, body)
        message = _object_in(body)
        make = _KINDS.get(_text(message, "type"))
        if make is None:
            return None
        key = _text(message, "key").lower()
        if not is_id(key):
            raise _wrong("key", "must be the id of a payment")
        return Notice(key, make(message))


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _wrong("content", "is not JSON") from None
    if not isinstance(message, dict):
        raise _wrong("content", "must be an object")
    return message


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value or len(value) > _LONGEST or not value.isprintable():
        raise _wrong(name, f"must be text of 1 to {_LONGEST} characters")
    return value


def _captured(message: Mapping[str, Any]) -> Captured:
    amount = message.get("amount_minor")
    if type(amount) is not int or not 0 <= amount < 2**63:
        raise _wrong("amount_minor", "must be a whole number of minor units")
    return Captured(_text(message, "reference"), amount, _text(message, "currency"))


def _declined(message: Mapping[str, Any]) -> Declined:
    return Declined(_text(message, "code"), _text(message, "reason"))


def _voided(message: Mapping[str, Any]) -> Voided:
    return Voided(_text(message, "reference"))


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Captured | Declined | Voided]]] = {
    "payment.captured": _captured,
    "payment.declined": _declined,
    "payment.voided": _voided,
}


def _wrong(field: str, sentence: str) -> ValidationFailed:
    return ValidationFailed("the message is not as agreed", fields={field: [sentence]})
