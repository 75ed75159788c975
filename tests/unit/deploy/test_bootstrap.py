"""The one file that has to run on whatever Python a machine has."""

import ast
from pathlib import Path

from deploy.local import bootstrap


def test_an_old_interpreter_can_at_least_read_it() -> None:
    ast.parse(Path(bootstrap.__file__).read_text(), feature_version=(3, 7))


def test_it_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(bootstrap.__file__).read_text())
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}

    assert imported == {"fcntl", "hashlib", "os", "subprocess", "sys", "time"}


def test_a_changed_lock_asks_for_a_new_installation(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("one==1")
    before = bootstrap.sum_of([lock])

    lock.write_text("one==2")

    assert bootstrap.sum_of([lock]) != before
