"""The passwords of a stack."""

import json
from pathlib import Path

from deploy.local.passwords import ACCOUNTS, passwords_of


def test_passwords_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    first = passwords_of(tmp_path)

    assert passwords_of(tmp_path) == first
    assert set(first) == set(ACCOUNTS)
    assert len(set(first.values())) == len(ACCOUNTS)
    assert (tmp_path / "passwords.json").stat().st_mode & 0o777 == 0o600


def test_an_account_that_came_with_a_newer_version_gets_its_password(tmp_path: Path) -> None:
    (tmp_path / "passwords.json").write_text(json.dumps({"owner": "kept"}))

    known = passwords_of(tmp_path)

    assert known["owner"] == "kept"
    assert known["orders"]
