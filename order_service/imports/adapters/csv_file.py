"""A CSV file that comes in pieces, packed or not: its rows, one by one in bounded memory, or why it is none."""

import codecs
import csv
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from order_service.imports.domain import COLUMNS, FileTooLarge, StagedRow, UnusableFile, read_row

_PIECE: Final = 1 << 20
"""Bytes unpacked at a time."""
_MAX_LINE: Final = 1 << 20
"""Characters of one line; more is no line of orders."""
_GZIP: Final = b"\x1f\x8b"


def rows_of_file(chunks: Iterable[bytes], *, gzip: bool, max_bytes: int, currency: str) -> Iterator[StagedRow]:
    """The judged rows of the file; raises UnusableFile or FileTooLarge where it turns out to be broken."""
    plain = _counted(_unpacked(_counted(chunks, max_bytes), gzip), max_bytes)
    reader = csv.reader(_lines(plain), strict=True)
    try:
        _check_header(next(reader, None))
        before = reader.line_num
        for cells in reader:
            if len(cells) == len(COLUMNS):
                yield read_row(before + 1, cells, currency)
            elif cells:
                raise UnusableFile(f"Line {before + 1:,} has {len(cells)} columns instead of {len(COLUMNS)}.")
            before = reader.line_num
    except csv.Error as error:
        raise UnusableFile(f"Line {reader.line_num:,} is not CSV: {error}.") from error


def _check_header(header: list[str] | None) -> None:
    if header is None:
        raise UnusableFile("The file is empty.")
    if tuple(name.strip() for name in header) != COLUMNS:
        raise UnusableFile(f"The first line must name the columns {', '.join(COLUMNS)}; it reads {_shown(header)}.")


def _shown(header: list[str]) -> str:
    text = ", ".join(header)
    return ascii(text if len(text) <= 80 else text[:80] + "…")


def _counted(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    taken = 0
    for chunk in chunks:
        taken += len(chunk)
        if taken > max_bytes:
            raise FileTooLarge(f"The file is larger than {max_bytes:,} bytes (IMPORT_MAX_BYTES).")
        yield chunk


def _unpacked(chunks: Iterator[bytes], gzip: bool) -> Iterator[bytes]:
    """The bytes themselves; unpacked piece by piece when they are gzip, so that a bomb is found out early."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_GZIP):
            break
    rest = _chain(first, chunks)
    return _gunzipped(rest) if gzip or first.startswith(_GZIP) else rest


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    begun = False
    for chunk in chunks:
        while chunk:
            if member.eof:  # a gzip file may have several members, one behind the other
                member = zlib.decompressobj(wbits=31)
            begun = True
            try:
                yield member.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise UnusableFile("The file is not gzip, or it is damaged.") from error
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    if begun and not member.eof:
        raise UnusableFile("The gzip file is cut off: its end is missing.")


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Whole lines with their line breaks, split at nothing but newlines."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    tail, number = "", 0
    for chunk in chunks:
        text = tail + _decoded(decoder, chunk, number)
        if "\0" in text:
            raise UnusableFile(f"The file is not text: there is a NUL byte after line {number:,}.")
        end = text.rfind("\n") + 1
        tail = text[end:]
        if len(tail) > _MAX_LINE:
            raise UnusableFile(
                f"Line {number + text.count(chr(10)) + 1:,} does not end within {_MAX_LINE:,} characters."
            )
        number += text.count("\n")
        yield from io.StringIO(text[:end], newline="\n")
    tail += _decoded(decoder, b"", number, final=True)
    if tail:
        raise UnusableFile(
            f"The file ends in the middle of line {number + 1:,}, without a line break: it looks cut off. "
            "Nothing was placed. (If it is whole, add a line break at its end.)"
        )


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, number: int, final: bool = False) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        line = number + error.object.count(b"\n", 0, error.start) + 1
        raise UnusableFile(f"The file is not UTF-8: see line {line:,}.") from error
