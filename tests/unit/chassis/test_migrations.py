"""How a schema stands to the code."""

from pathlib import Path

import pytest

from chassis.migrations import SchemaState, compared, revisions_in


@pytest.mark.parametrize(
    ("applied", "known", "state"),
    [
        ([], ["0001"], SchemaState.MISSING),
        (["0001"], ["0001"], SchemaState.CURRENT),
        (["0001"], ["0001", "0002"], SchemaState.OLDER),
        (["0003"], ["0001", "0002"], SchemaState.NEWER),
        ([], [], SchemaState.CURRENT),
    ],
)
def test_a_schema_is_missing_older_current_or_newer(applied: list[str], known: list[str], state: SchemaState) -> None:
    assert compared(applied, known) is state


def test_a_newer_schema_suits_the_previous_release() -> None:
    assert [state for state in SchemaState if state.is_usable] == [SchemaState.CURRENT, SchemaState.NEWER]


def test_revisions_are_read_in_the_order_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "0002_second.py").write_text('revision: str = "0002"\ndown_revision = "0001"\n')
    (tmp_path / "0001_first.py").write_text('"""First."""\n\nrevision = "0001"\ndown_revision = None\n')
    (tmp_path / "__init__.py").write_text("")

    assert revisions_in(tmp_path) == ["0001", "0002"]
