"""Settings that a person keeps in `.env` beside the Makefile; what the environment says wins."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.refusals import CannotStart


def settings_in(file: Path) -> Mapping[str, str]:
    """Lines NAME=value; a value may stand in quotes. Raises CannotStart naming the line that is none."""
    if not file.exists():
        return {}
    lines = enumerate(file.read_text().splitlines(), start=1)
    return dict(setting(line.strip(), f"{file}, line {number}") for number, line in lines if is_setting(line))


def is_setting(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def setting(line: str, where: str) -> tuple[str, str]:
    name, equals, value = line.removeprefix("export ").partition("=")
    if not equals or not name.strip().isidentifier():
        raise CannotStart(f"{where}: {line!r} is not NAME=value.")
    return name.strip(), unquoted(value.strip())


def unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
