"""Keeps what nobody must read out of logs, tables and messages."""

import re
from typing import Final

HIDDEN: Final = "***"

_SECRET_NAME: Final = re.compile(
    r"password|passwd|secret|authorization|api_?key|private_?key|cookie|credential|(^|_)token$|bearer", re.IGNORECASE
)
_CREDENTIALS: Final = re.compile(r"(?<=://)([^/?#\s:@]*):[^/?#\s]*@")
_ROW: Final = re.compile(r"(\bDETAIL:)[^\n]*")
_WORDS: Final = re.compile(r"\b(password|passwd|secret|token|bearer)(\s*[=:]\s*|\s+)[^\s,;&]+", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is nobody's business."""
    return _SECRET_NAME.search(name) is not None


def without_rows(text: str) -> str:
    """The text without what Postgres tells of rows: `DETAIL:  Failing row contains (…)` holds what customers sent."""
    return _ROW.sub(rf"\1 {HIDDEN}", text) if "DETAIL:" in text else text


def without_credentials(text: str) -> str:
    """The text with the passwords of its URLs hidden: `scheme://role:***@host`."""
    return _CREDENTIALS.sub(rf"\1:{HIDDEN}@", text) if "://" in text else text
