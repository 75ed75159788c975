"""What the harness brings to the doors as forged or stale is, and what it brings as true is signed."""

import pytest

from chassis.webhooks import BadSignature, WebhookSecret
from tests.chaos.webhooks import not_to_be_let_in, of_nobody

SECRET = WebhookSecret("sixteen characters at least")


def test_what_is_not_to_be_let_in_is_not_signed_now() -> None:
    for message in not_to_be_let_in(SECRET, list(of_nobody())):
        assert not message.is_signed_now
        with pytest.raises(BadSignature):
            SECRET.verify(message.timestamp, message.signature, message.body)


def test_what_is_about_nobody_is_signed() -> None:
    for body in of_nobody():
        SECRET.verify(*SECRET.signed_now(body), body)
