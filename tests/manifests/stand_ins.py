"""Certificates that stand in for those that an operator makes, so that settings which read them can be tried."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.certificates import Authority, Pair


def stand_in(key: str) -> Path:
    """A file such as stands in a secret under this key."""
    authority, shown = _made()
    return {"ca.crt": authority.file, "user.crt": shown.certificate, "user.key": shown.key}[key]


@cache
def _made() -> tuple[Authority, Pair]:
    folder = Path(tempfile.mkdtemp(prefix="order-system-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = Authority(folder)
    return authority, authority.pair("user")
