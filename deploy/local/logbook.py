"""What this stack tells: progress for the person at the terminal, events into its own log file."""

import logging
import time
from pathlib import Path


def open_logbook(file: Path) -> logging.Logger:
    """The log of one stack; each stack of a process has its own."""
    log = logging.getLogger(f"deploy.local {file}")
    log.handlers.clear()
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(formatter())
    log.addHandler(handler)
    return log


def show_on_terminal(log: logging.Logger) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)


def formatter() -> logging.Formatter:
    lines = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    lines.converter = time.gmtime
    return lines


def progress_line(what: str, seconds: float, where: str) -> str:
    return f"  {what:<26} ready after {seconds:5.1f} s   {where}".rstrip()
