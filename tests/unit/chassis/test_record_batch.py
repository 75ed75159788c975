"""Batches that we encode are read by kafka-python as it reads those of any client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import crc32c_c

from chassis.record_batch import encode_batch, encode_headers, varint

RECORDS = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=9000)), min_size=1, max_size=20)


def test_the_checksum_is_computed_by_the_c_package() -> None:
    """In pure Python it costs 57 µs a record on each side."""
    assert crc32c_c is not None


@given(RECORDS, st.integers(min_value=0, max_value=2**31 - 1))
def test_what_was_encoded_is_read_back(records: list[tuple[bytes, bytes]], sequence: int) -> None:
    encoded = encode_batch(
        records, encode_headers([("content-type", b"x")]), timestamp_ms=1_700_000_000_000, producer_id=7,
        producer_epoch=1, base_sequence=sequence,
    )  # fmt: skip

    batch = MemoryRecords(encoded).next_batch()

    assert batch.validate_crc()
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (7, 1, sequence)
    read = list(batch)
    assert [(bytes(record.key), bytes(record.value)) for record in read] == records
    assert [record.offset for record in read] == list(range(len(records)))
    assert read[0].headers == [("content-type", b"x")]
    assert {record.timestamp for record in read} == {1_700_000_000_000}


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, b"\x00"), (1, b"\x02"), (63, b"\x7e"), (64, b"\x80\x01"), (8191, b"\xfe\x7f")]
)
def test_varints_are_zigzag(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded
