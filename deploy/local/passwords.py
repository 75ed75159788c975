"""Passwords of one stack: made once, kept in its state folder, readable by its owner alone."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

ACCOUNTS = (
    "owner",
    "orders",
    "inventory",
    "suppliers",
    "payments",
    "payments_simulator",
    "suppliers_simulator",
    "valkey",
    "supplier_webhook",
    "payment_webhook",
)


def passwords_of(state: Path) -> Mapping[str, str]:
    """The stack's passwords by account; those missing are made and kept."""
    file = state / "passwords.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    missing = [account for account in ACCOUNTS if account not in known]
    if missing:
        known |= {account: secrets.token_hex(24) for account in missing}
        write_private(file, json.dumps(known, indent=1))
    return known


def write_private(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(file)
