"""Callbacks of the provider: opened when they are signed now and as agreed, whatever bytes they are made of."""

from typing import Any, Final

import orjson
import pytest

from chassis.errors import ValidationFailed
from chassis.ids import new_id
from chassis.webhooks import BadSignature, WebhookSecret
from payment_service.adapters.callbacks import SignedCallbacks
from payment_service.domain import Captured, Declined, Voided
from payment_service.ports import Notice

_TEXT: Final = "a secret of some length"
_KEY: Final = new_id()
_CAPTURED: Final = {
    "type": "payment.captured", "key": _KEY, "reference": "r-1", "amount_minor": 510, "currency": "GBP",
}  # fmt: skip


def opened(body: bytes) -> Notice | None:
    return SignedCallbacks(_TEXT).open(*WebhookSecret(_TEXT).signed_now(body), body)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (_CAPTURED, Captured("r-1", 510, "GBP")),
        ({"type": "payment.declined", "key": _KEY, "code": "c", "reason": "No."}, Declined("c", "No.")),
        ({"type": "payment.voided", "key": _KEY.upper(), "reference": "r-1"}, Voided("r-1")),
    ],
)
def test_what_is_signed_is_understood(message: dict[str, Any], said: Captured | Declined | Voided) -> None:
    assert opened(orjson.dumps(message)) == Notice(_KEY, said)


def test_a_type_that_is_not_known_is_of_no_use_and_no_mistake() -> None:
    assert opened(b'{"type": "payout.paid", "id": 7}') is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"type": 5}',
        orjson.dumps(_CAPTURED | {"key": "../../etc"}),
        orjson.dumps(_CAPTURED | {"key": None}),
        orjson.dumps(_CAPTURED | {"amount_minor": "510"}),
        orjson.dumps(_CAPTURED | {"amount_minor": 5.1}),
        orjson.dumps(_CAPTURED | {"amount_minor": True}),
        orjson.dumps(_CAPTURED | {"amount_minor": -1}),
        orjson.dumps(_CAPTURED | {"amount_minor": 2**63}),
        orjson.dumps(_CAPTURED | {"currency": ""}),
        orjson.dumps(_CAPTURED | {"reference": "x" * 256}),
        orjson.dumps(_CAPTURED | {"reference": "a\x00b"}),
    ],
)
def test_what_is_not_as_agreed_is_refused_however_well_signed(body: bytes) -> None:
    with pytest.raises(ValidationFailed):
        opened(body)


def test_what_is_not_signed_is_not_even_read() -> None:
    timestamp, _ = WebhookSecret(_TEXT).signed_now(b"{")
    with pytest.raises(BadSignature):
        SignedCallbacks(_TEXT).open(timestamp, "v1=00", b"{")
