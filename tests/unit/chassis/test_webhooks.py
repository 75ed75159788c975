"""Webhooks: what was signed with the secret, and now, passes; nothing else does."""

from typing import Final

import pytest

from chassis import clock
from chassis.webhooks import WINDOW_SECONDS, BadSignature, WebhookSecret

SECRET: Final = WebhookSecret("a secret of some length")
BODY: Final = b'{"reference": "r-1", "status": "ok"}'


def seconds_from_now(seconds: int) -> str:
    return str(clock.unix_ms() // 1000 + seconds)


def test_what_is_signed_now_with_the_secret_passes() -> None:
    SECRET.verify(*SECRET.signed_now(BODY), BODY)


def test_the_signature_is_the_one_that_any_other_implementation_computes() -> None:
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac 'a secret of some length'
    assert SECRET.sign("1700000000", b"{}") == "v1=9008b8e96ac884fb56cbbbb39d8c4b578c2c6de7951cbcce7f1f18311f3cd9f2"


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"ok", b"no")])
def test_another_body_does_not_pass(body: bytes) -> None:
    with pytest.raises(BadSignature):
        SECRET.verify(*SECRET.signed_now(BODY), body)


def test_another_secret_does_not_pass() -> None:
    with pytest.raises(BadSignature):
        SECRET.verify(*WebhookSecret("another secret of some length").signed_now(BODY), BODY)


def test_another_time_than_the_signed_one_does_not_pass() -> None:
    timestamp, signature = SECRET.signed_now(BODY)
    with pytest.raises(BadSignature):
        SECRET.verify(str(int(timestamp) + 1), signature, BODY)


@pytest.mark.parametrize("seconds", [-WINDOW_SECONDS - 5, WINDOW_SECONDS + 5])
def test_a_message_of_another_hour_does_not_pass_however_well_signed(seconds: int) -> None:
    timestamp = seconds_from_now(seconds)
    with pytest.raises(BadSignature, match="ago or ahead"):
        SECRET.verify(timestamp, SECRET.sign(timestamp, BODY), BODY)


@pytest.mark.parametrize("seconds", [5 - WINDOW_SECONDS, WINDOW_SECONDS - 5])
def test_clocks_may_differ_by_some_minutes(seconds: int) -> None:
    timestamp = seconds_from_now(seconds)
    SECRET.verify(timestamp, SECRET.sign(timestamp, BODY), BODY)


@pytest.mark.parametrize("timestamp", ["", "now", "-5", "1e9", "١٢٣", "1" * 5_000])
def test_a_time_that_is_none_is_refused_and_breaks_nothing(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        SECRET.verify(timestamp, SECRET.sign(timestamp, BODY), BODY)


@pytest.mark.parametrize("signature", ["", "v1=", "v1=é", "v0=00"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        SECRET.verify(seconds_from_now(0), signature, BODY)


def test_an_empty_secret_lets_nobody_in_not_even_who_signs_with_it() -> None:
    nobody = WebhookSecret("")
    with pytest.raises(BadSignature):
        nobody.verify(*nobody.signed_now(BODY), BODY)
