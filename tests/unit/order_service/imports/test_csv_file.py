"""Files as they come: whole, in any pieces, packed, broken in every way."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Refusal
from order_service.imports.adapters.csv_file import rows_of_file
from order_service.imports.domain import COLUMNS, FileTooLarge, StagedRow, UnusableFile

HEAD = ",".join(COLUMNS).encode() + b"\n"
ROW = b"536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"


def read(*chunks: bytes, is_gzip: bool = False, max_bytes: int = 1 << 30) -> list[StagedRow]:
    return list(rows_of_file(chunks, gzip=is_gzip, max_bytes=max_bytes, currency="GBP"))


def refusal_of(*chunks: bytes, is_gzip: bool = False) -> str:
    with pytest.raises(UnusableFile) as refused:
        read(*chunks, is_gzip=is_gzip)
    return refused.value.message


def test_every_row_knows_its_line() -> None:
    assert [row.line for row in read(HEAD + ROW + ROW)] == [2, 3]


def test_a_row_over_several_lines_is_known_by_its_first() -> None:
    quoted = ROW.replace(b"WHITE HEART", b'"WHITE\nHEART"')
    assert [row.line for row in read(HEAD + quoted + ROW)] == [2, 4]


def test_a_file_in_any_encoding_of_line_breaks_and_with_a_byte_order_mark_is_read() -> None:
    whole = HEAD + ROW + ROW
    assert len(read(b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n"))) == 2


def test_empty_lines_are_passed_over() -> None:
    assert [row.line for row in read(HEAD + b"\n" + ROW + b"\n\n")] == [3]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.booleans())
def test_it_does_not_matter_in_which_pieces_a_file_comes(sizes: list[int], is_packed: bool) -> None:
    whole = HEAD + ROW + ROW.replace(b"WHITE HEART", "“Café”, 40 £".encode().join([b'"', b'"'])) + ROW
    assert read(*pieces_of(gzip.compress(whole) if is_packed else whole, sizes)) == read(whole)


def pieces_of(whole: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield whole[at : at + size]
        at += size
    yield whole[at:]


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=30), min_size=8, max_size=8)))
def test_whatever_a_cell_contains_it_comes_back_as_one_row(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([COLUMNS, *rows])
    try:
        whole = text.getvalue().encode()
    except UnicodeEncodeError:
        return  # lone surrogates are no text
    assert len(read(whole)) == len(rows)


def test_gzip_is_told_from_its_bytes_and_may_have_several_members() -> None:
    assert len(read(gzip.compress(HEAD + ROW) + gzip.compress(ROW), is_gzip=False)) == 2


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "The file is empty."),
        (gzip.compress(b"", mtime=0), "The file is empty."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "The file is not UTF-8: see line 1."),
        (b"a;b;c\n1;2;3\n", "The first line must name the columns InvoiceNo, StockCode"),
        (HEAD.replace(b"CustomerID", b"Customer"), "The first line must name the columns"),
        (HEAD + ROW + b"1,2,3\n", "Line 3 has 3 columns instead of 8."),
        (HEAD + ROW + ROW[:-30], "The file ends in the middle of line 3"),
        (HEAD + ROW + ROW[:-1], "The file ends in the middle of line 3"),
        (HEAD + ROW.replace(b"WHITE", b'"WHITE'), "Line 2 is not CSV"),
        (HEAD + ROW.replace(b"WHITE", b'"WHI"TE'), "Line 2 is not CSV"),
        (HEAD + ROW + b"\x00\x01\n", "The file is not text: there is a NUL byte after line"),
        (HEAD + ROW + "Café\n".encode("latin-1"), "The file is not UTF-8: see line 3."),
        (HEAD + b"x" * (1 << 21), "Line 2 does not end within 1,048,576 characters."),
        (HEAD + ROW.replace(b"WHITE", b'"' + b"x" * 200_000 + b'"'), "Line 2 is not CSV: field larger"),
        (gzip.compress((HEAD + ROW) * 1_000, mtime=0)[:-9], "The gzip file is cut off: its end is missing."),
        (gzip.compress(HEAD + ROW, mtime=0)[:5], "The gzip file is cut off: its end is missing."),
        (gzip.compress(HEAD + ROW, mtime=0)[:-1] + b"x", "The file is not gzip, or it is damaged."),
        (gzip.compress(HEAD + ROW, mtime=0) + b"more", "The file is not gzip, or it is damaged."),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_a_sentence(file: bytes, sentence: str) -> None:
    assert refusal_of(file).startswith(sentence)


def test_a_file_that_calls_itself_gzip_must_be_gzip() -> None:
    assert refusal_of(HEAD + ROW, is_gzip=True) == "The file is not gzip, or it is damaged."


@given(st.binary(max_size=400))
def test_no_bytes_however_odd_break_the_reader(noise: bytes) -> None:
    for file in (noise, HEAD + noise, HEAD + ROW + noise, b"\x1f\x8b" + noise, gzip.compress(HEAD + noise)):
        try:
            read(file)
        except Refusal:
            continue


@given(st.integers(0, len(HEAD + ROW + ROW) - 1))
def test_a_file_cut_off_anywhere_is_refused_unless_whole_rows_are_missing(length: int) -> None:
    whole = HEAD + ROW + ROW
    if length and whole[length - 1 : length] == b"\n":
        assert len(read(whole[:length])) == whole[:length].count(b"\n") - 1
    else:
        refusal_of(whole[:length])


def consume(rows: Iterator[StagedRow], at_most: int) -> None:
    for count, _ in enumerate(rows, 1):
        assert count <= at_most


def test_a_file_is_too_large_by_its_bytes_as_they_come() -> None:
    with pytest.raises(FileTooLarge, match="larger than 100 bytes"):
        read(HEAD, ROW, max_bytes=100)


def test_a_bomb_is_found_out_by_its_unpacked_bytes_long_before_it_is_unpacked() -> None:
    bomb = zlib.compressobj(9, wbits=31)
    small = b"".join(bomb.compress(ROW * 10_000) for _ in range(200)) + bomb.flush()
    taken = rows_of_file([gzip.compress(HEAD) + small], gzip=True, max_bytes=3_000_000, currency="GBP")
    assert len(small) < 3_000_000 < 200 * 10_000 * len(ROW)
    with pytest.raises(FileTooLarge):
        consume(taken, at_most=3_000_000 // len(ROW) + 1)
