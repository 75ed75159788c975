"""Lists as array parameters come back from Postgres as they went in."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chassis.database import Database, rows_of

_MOMENT = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
_TEXTS = ["a", "", None, "null", 'a"b', "a\\b", "\\", "\\\\n", "\\n", '{"a": "x\\ny"}', "{}", "a,b", " x ", "é☃😀"]


def _returned(database: Database, values: list[Any], kind: str) -> list[Any]:
    sql = f"SELECT value FROM unnest(CAST(:values AS {kind}[])) WITH ORDINALITY AS sent (value, place) ORDER BY place"
    return database.read(lambda connection: [row.value for row in rows_of(connection, sql, values=values)])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", []),
        ("text", _TEXTS),
        ("text", [*_TEXTS, "line\nbreak", "tab\t", "\x01", "\x7f"]),
        ("bigint", [1, None, -5, 2**62]),
        ("float8", [0.1, None, -1.5]),
        ("boolean", [True, None, False]),
        ("timestamptz", [_MOMENT, None]),
        ("bytea", [b'\x00\xff"\\', None, b""]),
    ],
)
def test_a_list_comes_back_as_it_went_in(database: Database, kind: str, values: list[Any]) -> None:
    assert _returned(database, values, kind) == values


def test_json_documents_with_line_breaks_and_quotes_come_back_as_they_went_in(database: Database) -> None:
    documents = [{"a": 'x\ny"\\'}, [1, "\u0001"], {}]

    assert _returned(database, [orjson.dumps(each).decode() for each in documents], "jsonb") == documents


def test_text_that_postgres_cannot_hold_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="NUL"):
        _returned(database, ["a\x00b"], "text")
