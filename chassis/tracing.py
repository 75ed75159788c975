"""Trace context as W3C `traceparent` text, carried from REST to the last event of an order."""

import random
import re
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_ODD = frozenset("13579bdf")
_SAMPLED_BYTES = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")

current: ContextVar[str] = ContextVar("traceparent", default="")
"""The traceparent of what is being done now; empty outside of any request."""


def _hex(bits: int) -> str:
    # Not a secret: trace ids need to be unlikely to meet, and this is ten times cheaper than os.urandom.
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"


def new_traceparent() -> str:
    """A traceparent of a new trace, not sampled."""
    return f"00-{_hex(128)}-{_hex(64)}-00"


def child_of(traceparent: str) -> str:
    """A traceparent of the same trace with a span of its own; a new trace when `traceparent` is not one."""
    if not is_traceparent(traceparent):
        return new_traceparent()
    return f"{traceparent[:36]}{_hex(64)}{traceparent[52:55]}"


def onward(traceparent: str) -> str:
    """What a party outside is told: the span that asks, where that is recorded; else one of its own."""
    return traceparent if is_sampled(traceparent) else child_of(traceparent)


def is_traceparent(text: str) -> bool:
    """Whether `text` is a valid traceparent (https://www.w3.org/TR/trace-context/#traceparent-header)."""
    return _TRACEPARENT.fullmatch(text) is not None and (len(text) == 55 or not text.startswith("00"))


def is_sampled(traceparent: str) -> bool:
    """Whether its spans are recorded, as whoever began it decided: the lowest bit of its flags."""
    return traceparent[54:55] in _ODD and is_traceparent(traceparent)


def sampled(traceparent: str) -> str:
    """The same one with its spans recorded."""
    return f"{traceparent[:53]}01"


def sampled_in(payload: bytes) -> str:
    """The traceparent in an envelope where it is sampled, without opening that; else empty."""
    found = _SAMPLED_BYTES.search(payload)
    return found[0].decode() if found else ""


def trace_id_of(traceparent: str) -> str:
    """The 32 hex digits of the trace; empty for an empty traceparent."""
    return traceparent[3:35]


def from_headers(traceparent: str | None, x_trace_id: str | None) -> str:
    """The caller's trace, from a valid `traceparent` or a UUID in `X-Trace-Id`; else a new one."""
    if traceparent and is_traceparent(traceparent):
        return traceparent
    if x_trace_id and _UUID.fullmatch(x_trace_id) and x_trace_id.strip("0-"):
        return f"00-{x_trace_id.replace('-', '').lower()}-{_hex(64)}-00"
    return new_traceparent()
