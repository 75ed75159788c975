"""Keeps libraries from loading OpenTelemetry by themselves, because it happens to be installed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

_NAME: Final = "opentelemetry"


@contextmanager
def opentelemetry_unseen() -> Iterator[None]:
    """Around imports: what tries to import OpenTelemetry within finds that it is not there, and does without.

    redis takes half a second and 10 MB for metrics of its own that nobody asked for.
    """
    modules: dict[str, Any] = sys.modules
    before: ModuleType | None = modules.get(_NAME)
    modules[_NAME] = None  # as https://docs.python.org/3/reference/import.html#the-module-cache has it
    try:
        yield
    finally:
        if before is None:
            del modules[_NAME]
        else:
            modules[_NAME] = before
