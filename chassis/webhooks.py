"""Signed webhooks: how an outside party proves that a message is its own, and new.

The signature is HMAC-SHA256 over the sender's time, a dot and the body as it comes (the scheme of Stripe and Slack):
without the time, whoever once saw a message could send it again for ever.
"""

import hmac
from hashlib import sha256
from typing import Final

from chassis import clock
from chassis.errors import Refusal

SIGNATURE_HEADER: Final = "x-webhook-signature"
TIMESTAMP_HEADER: Final = "x-webhook-timestamp"
WINDOW_SECONDS: Final = 300
"""How far the sender's time may be from ours, either way."""
MIN_SECRET_LENGTH: Final = 16

_VERSION: Final = "v1="
_LONGEST_TIMESTAMP: Final = 12


class BadSignature(Refusal):
    """The message was not signed with our secret, or not now."""

    code = "bad_signature"
    status = "UNAUTHENTICATED"


def long_enough(secret: str) -> str:
    """A secret that nobody guesses, or none at all; raises ValueError otherwise."""
    if secret and len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters")
    return secret


class WebhookSecret:
    """The secret that we share with a sender; an empty one signs nothing, and nothing passes for signed with it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, timestamp: str, body: bytes) -> str:
        """The signature of a body that is sent at this time, in whole seconds since 1970."""
        return _VERSION + hmac.new(self._secret, timestamp.encode() + b"." + body, sha256).hexdigest()

    def signed_now(self, body: bytes) -> tuple[str, str]:
        """What goes into the two headers of a body that is sent now: the time and the signature."""
        timestamp = str(clock.unix_ms() // 1000)
        return timestamp, self.sign(timestamp, body)

    def verify(self, timestamp: str, signature: str, body: bytes) -> None:
        """Raises BadSignature unless the body was signed with this secret, at most WINDOW_SECONDS from now."""
        if not self._secret:
            raise BadSignature("webhooks are not taken here: there is no secret")
        # The signature first: who cannot sign learns nothing of our clock.
        if not hmac.compare_digest(self.sign(timestamp, body).encode(), signature.encode()):
            raise BadSignature("the signature does not fit the body and its time")
        if abs(clock.unix_ms() // 1000 - _seconds(timestamp)) > WINDOW_SECONDS:
            raise BadSignature(f"the message was signed more than {WINDOW_SECONDS} s ago or ahead")


def _seconds(timestamp: str) -> int:
    """The time that a sender states; raises BadSignature for anything but plain digits."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise BadSignature("the time of the message is not a number of seconds")
    return int(timestamp)
