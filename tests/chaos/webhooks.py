"""Webhooks at the REST doors as nobody should send them: forged, stale, and true ones again and again in any order."""

import random
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from typing import Any, Final, NamedTuple

import orjson
import psycopg

from chassis import clock, ids
from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, WINDOW_SECONDS, WebhookSecret
from supplier_service.simulator.webhooks import delivered
from tests.chaos.links import LinkedStack

DOORS: Final = {"payments": "payments/simulated", "suppliers": "suppliers/acme"}
TIMES: Final = 5
"""How often a true message comes again."""

_CHARGES: Final = """
    SELECT CAST(key AS text), outcome, amount_minor, currency FROM payments_simulator.entries
    WHERE kind IN ('charge', 'void') AND effective_at <= clock_timestamp() ORDER BY effective_at DESC LIMIT 12
"""
_GOODS: Final = """
    SELECT CAST(key AS text) FROM suppliers_simulator.entries WHERE state = 'delivered' AND supplier IN ('', 'acme')
    ORDER BY created_at DESC LIMIT 12
"""


class Message(NamedTuple):
    """What is brought to a door; `is_signed_now` says whether it may be let in."""

    body: bytes
    timestamp: str
    signature: str
    is_signed_now: bool


def messages(stack: LinkedStack, chance: random.Random, context: str) -> list[Message]:
    """What the provider or a supplier has truly told, again and mixed up, and what it has not. Raises psycopg.Error."""
    secret = WebhookSecret(stack.environment[f"{context.removesuffix('s').upper()}_WEBHOOK_SECRET"])
    with psycopg.connect(stack.infrastructure.database_url, connect_timeout=3) as connection:
        bodies = list(_true_bodies(connection, context))
    made = [Message(body, *secret.signed_now(body), True) for body in bodies for _ in range(TIMES)]
    made += [Message(body, *secret.signed_now(body), True) for body in of_nobody()]
    made += not_to_be_let_in(secret, bodies or list(of_nobody()))
    chance.shuffle(made)
    return made


def bring(stack: LinkedStack, context: str, message: Message) -> int:
    """The status of the answer; 0 when there is none."""
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: message.timestamp,
        SIGNATURE_HEADER: message.signature,
    }
    url = f"http://{stack.place.address('rest')}/api/v1/webhooks/{DOORS[context]}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, message.body, headers), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except (OSError, HTTPException):
        return 0


def _true_bodies(connection: psycopg.Connection[Any], context: str) -> Iterator[bytes]:
    if context == "suppliers":
        yield from (delivered(key) for (key,) in connection.execute(_GOODS).fetchall())
        return
    for key, outcome, amount, currency in connection.execute(_CHARGES).fetchall():
        more: dict[str, Any] = {"reference": f"sim-{key}"}
        if outcome == "captured":
            more |= {"amount_minor": amount, "currency": currency}
        if outcome == "declined":
            more = {"code": "card_declined", "reason": "declined"}
        yield orjson.dumps({"type": f"payment.{outcome}", "key": key, **more})


def of_nobody() -> Iterator[bytes]:
    """Signed, and about what nobody knows, or no message at all."""
    yield orjson.dumps({"type": "payment.voided", "key": ids.new_id(), "reference": "sim", "status": "ok"})
    yield delivered(ids.new_id())
    yield b"\x00 nothing that could be read"


def not_to_be_let_in(secret: WebhookSecret, bodies: Sequence[bytes]) -> Iterator[Message]:
    """Signed with another secret, long ago, or for another body."""
    old = str(clock.unix_ms() // 1000 - WINDOW_SECONDS - 60)
    for body in bodies:
        yield Message(body, *WebhookSecret("a secret that nobody shares").signed_now(body), False)
        yield Message(body, old, secret.sign(old, body), False)
        yield Message(body + b" ", *secret.signed_now(body), False)
        yield Message(body, "", "", False)
