"""Finds what is left of a stack: whoever has its state folder among its arguments, its folder or its open files."""

import os
from pathlib import Path


def processes_of(state: Path) -> list[int]:
    others = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal() and entry.name != str(os.getpid()))
    return [int(process.name) for process in others if mentions(process, str(state))]


def mentions(process: Path, word: str) -> bool:
    try:
        if word.encode() in (process / "cmdline").read_bytes():
            return True
        return any(word in os.readlink(link) for link in (process / "cwd", *(process / "fd").iterdir()))
    except OSError:  # gone meanwhile
        return False
