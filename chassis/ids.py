"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by time and an event's day can be read from its id."""

import re
from datetime import UTC, date, datetime

from uuid_utils import uuid7

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A UUIDv7 in its text form; within a process each is greater than the one before."""
    return str(uuid7())


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in canonical lower-case form."""
    return _UUID.fullmatch(text) is not None


def unix_ms_of(id_: str) -> int:
    """Milliseconds since 1970 in a UUIDv7."""
    return int(id_[:8] + id_[9:13], 16)


def first_id_at(moment: datetime) -> str:
    """What no UUIDv7 made at this moment or later sorts before."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


def day_of(id_: str) -> date:
    """The UTC day on which a UUIDv7 was made; ValueError or OverflowError for ids that name no day."""
    return datetime.fromtimestamp(unix_ms_of(id_) / 1000, UTC).date()
