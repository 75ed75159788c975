"""Settings kept in a file."""

from pathlib import Path

import pytest

from deploy.local.environment_file import settings_in
from deploy.local.refusals import CannotStart


def test_a_file_of_settings_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nCURRENCY=EUR\nexport AUTH = off\nSIMULATION='life like'\nEMPTY=\n")

    assert settings_in(file) == {"CURRENCY": "EUR", "AUTH": "off", "SIMULATION": "life like", "EMPTY": ""}


def test_no_file_is_no_settings(tmp_path: Path) -> None:
    assert settings_in(tmp_path / ".env") == {}


def test_a_line_that_is_no_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("CURRENCY=EUR\nnonsense\n")

    with pytest.raises(CannotStart, match="line 2: 'nonsense'"):
        settings_in(file)
