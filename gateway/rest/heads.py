"""Request heads that two readers could read in two ways: what stands between us and a client must not read another."""

from collections.abc import Sequence
from typing import Final

ONCE: Final = (b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"transfer-encoding")
"""Headers of which only one can be meant."""


class Ambiguous(Exception):
    """The head is not served, because it could mean something else to somebody else."""


def check_head(version: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises Ambiguous (RFC 9112, sections 3.2, 6.1 and 11.2)."""
    if version not in ("1.1", "1.0"):
        raise Ambiguous("The request must be of HTTP 1.1 or 1.0.")
    found = dict(headers)
    if len(found) < len(headers):
        names = [name for name, _ in headers]
        for name in ONCE:
            if names.count(name) > 1:
                raise Ambiguous(f"The header {name.decode().title()} stands there more than once.")
    if b"host" not in found and version == "1.1":
        raise Ambiguous("The header Host is missing.")
    coding = found.get(b"transfer-encoding")
    if coding is not None and (coding.strip().lower() != b"chunked" or version == "1.0"):
        raise Ambiguous("The body's transfer encoding must be chunked, and that of HTTP 1.1.")
