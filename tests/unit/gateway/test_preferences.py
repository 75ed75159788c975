"""The `Prefer` header."""

import pytest

from gateway.rest.preferences import Preference, read_preference


@pytest.mark.parametrize(
    ("header", "wait_ms", "applied"),
    [
        ("wait=10", 10_000, "wait=10"),
        ("wait=0", 0, "wait=0"),
        ('WAIT = "3"', 3_000, "wait=3"),
        ("wait=3600", 30_000, "wait=30"),
        ("respond-async", 0, "respond-async"),
        ("handling=lenient, respond-async", 0, "respond-async"),
        ("respond-async, wait=10", 10_000, "wait=10"),
        ("return=minimal; foo=bar, wait=5", 5_000, "wait=5"),
    ],
)
def test_what_is_known_is_applied(header: str, wait_ms: int, applied: str) -> None:
    assert read_preference(header) == Preference(wait_ms, applied)


@pytest.mark.parametrize(
    "header", ["", "wait", "wait=-1", "wait=soon", "wait=1.5", "await=3", "no-respond-async", "respond-asynchronously"]
)
def test_what_is_not_known_is_ignored(header: str) -> None:
    assert read_preference(header) is None
