"""Named points between two steps at which a test makes the process die, wait or fail.

`FAILPOINT=orders.place.before_commit=crash` (or `sleep:MS`, `raise`; several separated by commas) is read once at
import; unset, a failpoint is one dictionary look-up. `name=crash@3` fires at the third pass only. With FAILPOINT_ONCE
set to a folder each point fires once, also over restarts: it leaves a file of its name there.
"""

import os
import signal
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final


class FailpointReached(Exception):
    """Raised by a failpoint that was told to."""


@dataclass(slots=True)
class _Action:
    kind: str
    milliseconds: int
    at_pass: int  # 0: at every pass
    passes: "count[int]"

    def take(self, name: str) -> None:
        if (self.at_pass and next(self.passes) != self.at_pass) or not _may_fire(name):
            return
        if self.kind == "crash":
            # The hardest death there is: no handler, no flush, no goodbye to the broker.
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "raise":
            raise FailpointReached(name)
        time.sleep(self.milliseconds / 1000)


def parse(text: str) -> dict[str, _Action]:
    """The actions in a FAILPOINT setting; ValueError when it names none that exists."""
    actions: dict[str, _Action] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, action = part.partition("=")
        action, _, at_pass = action.partition("@")
        kind, _, milliseconds = action.partition(":")
        if kind not in ("crash", "raise", "sleep") or (kind == "sleep") != milliseconds.isdigit():
            raise ValueError(f"FAILPOINT: {part!r} is not name=crash, name=raise or name=sleep:MS")
        actions[name] = _Action(kind, int(milliseconds or 0), int(at_pass or 0), count(1))
    return actions


def _told() -> dict[str, _Action]:
    try:
        return parse(os.environ.get("FAILPOINT", ""))
    except ValueError:
        return {}  # the settings refuse it by name before anything starts


_ONCE: Final = os.environ.get("FAILPOINT_ONCE", "")


def _may_fire(name: str) -> bool:
    if not _ONCE:
        return True
    try:
        Path(_ONCE, name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


_ACTIONS: Final = _told()


def failpoint(name: str) -> None:
    """Do here what FAILPOINT asks for under this name: nothing, as a rule."""
    if _ACTIONS and (action := _ACTIONS.get(name)) is not None:
        action.take(name)
