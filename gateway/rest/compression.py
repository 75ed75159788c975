"""Answers as gzip for clients that take it: what is read, from a size on; never what a POST answers, which is small."""

import re
import zlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from gateway.rest.answers import Answer, Stream
from gateway.rest.requests import Request

_LEVEL: Final = 1
"""Of the work of level 6 a fourth, of its gain nine tenths."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_LARGE: Final = 100_000
_LONGEST: Final = 200
_FILE: Final = b"text/csv"
_CODINGS: Final = re.compile(r"\s*(gzip|x-gzip|\*)\s*(?:;\s*q=([0-9.]+)\s*)?", re.IGNORECASE)
_VARY: Final = (b"vary", b"accept-encoding")
_ENCODED: Final = (_VARY, (b"content-encoding", b"gzip"))


class Compression:
    """Compresses answers of at least `least` bytes; 0: none."""

    def __init__(self, least: int) -> None:
        self._least = least

    def answer(self, answer: Answer, request: Request) -> Answer:
        """The answer, perhaps compressed; its tag then is a weak one, because other bytes stand behind it."""
        if not 0 < self._least <= len(answer.body):
            return answer
        if not takes_gzip(_said(request)):
            return replace(answer, headers=(*answer.headers, _VARY))
        body = (_packed_again if len(answer.body) > _LARGE else _packed)(answer.body)
        headers = [(name, b"W/" + value if name == b"etag" else value) for name, value in answer.headers]
        return replace(answer, body=body, headers=(*headers, *_ENCODED))

    def stream(self, stream: Stream, request: Request) -> Stream:
        """A file, perhaps compressed piece by piece: each can be read as soon as it is there. Events are left alone."""
        if not dict(stream.headers).get(b"content-type", b"").startswith(_FILE):
            return stream
        if not self._least or not takes_gzip(_said(request)):
            return replace(stream, headers=(*stream.headers, _VARY))
        return replace(stream, pieces=_pieces(stream.pieces), headers=(*stream.headers, *_ENCODED))


def _said(request: Request) -> str:
    """Nothing when it is longer than what is worth remembering."""
    said = request.header(b"accept-encoding") or ""
    return said if len(said) <= _LONGEST else ""


@lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client says so (RFC 9110, section 12.5.3); what it says of gzip counts before what it says of `*`."""
    said = {}
    for coding in accept_encoding.split(","):
        if match := _CODINGS.fullmatch(coding):
            said[match[1].lower()] = match[2] is None or match[2].strip("0.") != ""
    return said.get("gzip", said.get("x-gzip", said.get("*", False)))


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


_packed_again = lru_cache(maxsize=4)(_packed)
"""The largest answers are pages and the OpenAPI document, which never change."""


async def _pieces(plain: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    try:
        async for piece in plain:
            yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()
    finally:
        await plain.aclose()
