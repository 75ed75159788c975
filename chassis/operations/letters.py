"""Dead letters as an operator asks for them: by id, type, order, topic or consumer; and how they are given up."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection

from chassis import audit, dead_letters
from chassis.database import Row, rows_of

SHOWN: Final = 100
"""Letters shown at once; the newest."""
_KEYS_AT_ONCE: Final = 10_000
"""Keys that one replay or discard takes; asked again, it takes the next."""
_NOTED: Final = 100
"""Letters of a key that the audit names; their number is told in any case."""

_MEANT: Final = """
FROM dead_letters WHERE (:order_id = '' OR key = :order_id)
AND (:type = '' OR type = :type OR type LIKE '%.' || :type_pattern)
AND (:topic = '' OR topic = :topic) AND (:consumer = '' OR consumer = :consumer)
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
_DISCARD: Final = f"""
DELETE {_MEANT} AND key = :parked_key RETURNING partition, record_offset AS offset, id, type, error
"""


@dataclass(frozen=True)
class LetterFilter:
    """Which letters are meant; all that is given must hold. `type` is a full name or its last part."""

    ids: Sequence[str] = ()
    type: str = ""
    order_id: str = ""
    topic: str = ""
    consumer: str = ""

    def parameters(self) -> dict[str, Any]:
        """For the statements of this module."""
        pattern = self.type.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return asdict(self) | {"ids": list(self.ids), "type_pattern": pattern}


def newest(connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
    """The newest letters that are meant."""
    return rows_of(connection, _NEWEST, **wanted.parameters())


def count(connection: Connection, wanted: LetterFilter) -> int:
    """How many are meant."""
    return int(rows_of(connection, _COUNT, **wanted.parameters())[0].letters)


def keys(connection: Connection, wanted: LetterFilter) -> Sequence[Row]:
    """The parked keys of the letters that are meant: consumer, topic, key."""
    return rows_of(connection, _KEYS, **wanted.parameters())


def discard(connection: Connection, parked: Row, wanted: LetterFilter, actor: str, reason: str) -> int:
    """Give up those letters of one parked key that are meant, and write down which and why; how many they were.

    Rule (protocols: events in): discard takes the lock of the key that consumer, retry and replay take; what was
    read before it may have been applied meanwhile. The inbox keeps the claim, so that no redelivery brings them back.
    """
    if not dead_letters.lock_key(connection, parked.consumer, parked.topic, parked.key):
        return 0
    meant = wanted.parameters() | {"consumer": parked.consumer, "topic": parked.topic, "parked_key": parked.key}
    gone = rows_of(connection, _DISCARD, **meant)
    if gone:
        dead_letters.free_key(connection, parked.consumer, parked.topic, parked.key)
        named = sorted((row._asdict() for row in gone), key=lambda letter: (letter["partition"], letter["offset"]))
        details = {"reason": reason, "consumer": parked.consumer, "topic": parked.topic, "letters": len(gone)}
        audit.note(
            connection,
            actor=actor,
            action="discard_dead_letters",
            subject=parked.key,
            details=details | {"discarded": named[:_NOTED]},
        )
    return len(gone)
