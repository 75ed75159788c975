"""Kafka record batches (message format v2) encoded a batch at a time.

kafka-python's producer spends 25 µs a record on futures, locks and varints; a relay sends whole rounds and needs none
of them (measured in `docs/decisions/0004-record-batches.md`). The format: https://kafka.apache.org/documentation/#messageformat
"""

import struct
from collections.abc import Sequence
from typing import Final

from kafka.record.util import calc_crc32c

_HEAD: Final = struct.Struct(">qiibI")  # base offset, length, leader epoch, magic, crc
_BODY: Final = struct.Struct(
    ">hiqqqhii"
)  # attributes, last delta, first and last time, producer, epoch, sequence, count
_MAGIC: Final = 2
_NO_ATTRIBUTES_NO_DELAY: Final = b"\x00\x00"


def varint(number: int) -> bytes:
    """A number ≥ 0 as a zigzag varint."""
    number <<= 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_VARINTS: Final = tuple(varint(number) for number in range(4096))


def encode_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Record headers as they stand in each record."""
    parts = [varint(len(headers))]
    for name, value in headers:
        parts += [varint(len(name.encode())), name.encode(), varint(len(value)), value]
    return b"".join(parts)


def encode_batch(
    records: Sequence[tuple[bytes, bytes]],
    headers: bytes,
    *,
    timestamp_ms: int,
    producer_id: int,
    producer_epoch: int,
    base_sequence: int,
) -> bytes:
    """One batch of (key, value) records for one partition, all with the same encoded headers."""
    parts = [b""]
    for delta, (key, value) in enumerate(records):
        record = b"".join(
            (_NO_ATTRIBUTES_NO_DELAY, _short(delta), _short(len(key)), key, _short(len(value)), value, headers)
        )
        parts.append(_short(len(record)))
        parts.append(record)
    count = len(records)
    parts[0] = _BODY.pack(
        0, count - 1, timestamp_ms, timestamp_ms, producer_id, producer_epoch, base_sequence, count
    )  # fmt: skip
    body = b"".join(parts)
    # The length counts from behind itself: leader epoch, magic and crc, then the body that the crc is over.
    return _HEAD.pack(0, len(body) + 9, -1, _MAGIC, calc_crc32c(body)) + body


def _short(number: int) -> bytes:
    return _VARINTS[number] if number < 4096 else varint(number)
