"""Dead letters as an operator asks for them: by id, type or order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from chassis.database import Row, rows_of

SHOWN: Final = 100
"""Letters shown at once; the newest."""
_KEYS_AT_ONCE: Final = 10_000
"""Keys that one replay takes; asked again, it takes the next."""

_MEANT: Final = """
FROM dead_letters WHERE (:order_id = '' OR key = :order_id)
AND (:type = '' OR type = :type OR type LIKE '%.' || :type_pattern)
AND (cardinality(CAST(:ids AS uuid[])) = 0 OR id = ANY(CAST(:ids AS uuid[])))
"""
_NEWEST: Final = f"""
SELECT id, consumer, topic, partition, record_offset, key, type, reason, error, attempts, next_try_at, traceparent,
    parked_at
{_MEANT} ORDER BY parked_at DESC, topic, partition, record_offset DESC LIMIT {SHOWN}
"""
_COUNT: Final = f"SELECT count(*) AS letters {_MEANT}"
_KEYS: Final = f"""
SELECT consumer, topic, key {_MEANT} GROUP BY consumer, topic, key ORDER BY min(parked_at) LIMIT {_KEYS_AT_ONCE}
"""


@dataclass(frozen=True)
class LetterFilter:
    """Which letters are meant; all that is given must hold. `type` is a full name or its last part."""

    ids: Sequence[str] = ()
    type: str = ""
    order_id: str = ""

    def parameters(self) -> dict[str, Any]:
        """For the statements of this module."""
        pattern = self.type.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {"ids": list(self.ids), "type": self.type, "type_pattern": pattern, "order_id": self.order_id}


def newest(connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
    """The newest letters that are meant."""
    return rows_of(connection, _NEWEST, **wanted.parameters())


def count(connection: Connection, wanted: LetterFilter) -> int:
    """How many are meant."""
    return int(rows_of(connection, _COUNT, **wanted.parameters())[0].letters)


def keys(connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
    """The parked keys of the letters that are meant: consumer, topic, key."""
    return rows_of(connection, _KEYS, **wanted.parameters())
