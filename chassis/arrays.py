"""Lists as Postgres arrays, written by orjson: psycopg's own way costs more than the rows that the lists carry."""

from binascii import b2a_hex
from typing import Any

import orjson
from psycopg.adapt import Dumper
from psycopg.types.array import ListDumper


class ArrayDumper(Dumper):
    """Writes a flat list of text, numbers, booleans, times, bytes or None; leaves all others to psycopg.

    The array has no type of its own: statements cast it (`CAST(:ids AS uuid[])`).
    """

    def dump(self, obj: list[Any]) -> bytes:
        """The array literal of a list."""
        if obj and isinstance(obj[0], bytes) and None not in obj:
            return b'{"\\\\x' + b'","\\\\x'.join(map(b2a_hex, obj)) + b'"}'
        if not obj or not isinstance(obj[0], list | tuple | dict):
            text = orjson.dumps(obj, default=_as_text)
            # JSON and array literals escape `"` and `\` alike, but control characters in different ways.
            if b"\\" not in text or b"\\" not in text.replace(b"\\\\", b"").replace(b'\\"', b""):
                return b"{" + text[1:-1] + b"}"
        literal = ListDumper(list, self.connection).dump(obj)
        return b"{}" if literal is None else bytes(literal)


def _as_text(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
