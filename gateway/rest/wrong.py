"""What is wrong with a request, by the path of the field: `items[0].quantity`."""

from collections.abc import Mapping

Errors = dict[str, list[str]]

MOST_ERRORS = 100
"""More are not told: an answer must not outgrow the request that it refuses."""


class Wrong(Exception):
    """A value that does not fit its field; paths are relative to the value, "" being the value itself."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("does not fit")
        self.errors = errors


def wrong(message: str) -> Wrong:
    """The value itself does not fit."""
    return Wrong({"": [message]})


def add_under(name: str, inner: Mapping[str, list[str]], errors: Errors) -> None:
    """Adds to `errors` what is wrong inside of `name`."""
    for path, messages in inner.items():
        if len(errors) >= MOST_ERRORS:
            return
        dot = "." if name and path and not path.startswith("[") else ""
        errors.setdefault(f"{name[:255]}{dot}{path}", []).extend(messages)
