"""What the supervisor knows of one child: its process, how often it died, when it starts again."""

import os
import subprocess
import threading
from dataclasses import dataclass, field
from time import monotonic

from deploy.local.child import Command, spawn

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 5.0
STEADY_SECONDS = 10.0  # whoever lived this long starts again without the delays of its past


@dataclass
class Watched:
    """A child that is kept alive until it is told to stop."""

    command: Command
    process: subprocess.Popen[bytes] | None = None
    handle: int = -1
    wanted: bool = True
    deaths: int = 0
    last_exit: int = 0
    delay: float = FIRST_DELAY_SECONDS
    started_at: float = 0.0
    due_at: float | None = None
    gone: threading.Event = field(default_factory=threading.Event)

    def spawn(self) -> int:
        """Starts it and returns the kernel's handle on it, which becomes readable when it dies."""
        self.due_at, self.started_at = None, monotonic()
        self.process = spawn(self.command)
        self.gone.clear()
        self.handle = os.pidfd_open(self.process.pid)
        return self.handle

    def bury(self) -> None:
        """Takes note of a death; when it is still wanted, its next start is due after a growing delay."""
        if self.process is not None:
            self.last_exit = self.process.wait()
            os.close(self.handle)
        self.process, self.handle = None, -1
        self.gone.set()
        if self.wanted:
            self._plan_next_start()

    def _plan_next_start(self) -> None:
        self.deaths += 1
        if monotonic() - self.started_at >= STEADY_SECONDS:
            self.delay = FIRST_DELAY_SECONDS
        self.due_at = monotonic() + self.delay
        self.delay = min(2 * self.delay, LONGEST_DELAY_SECONDS)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def cause(self) -> str:
        return f"signal {-self.last_exit}" if self.last_exit < 0 else f"exit code {self.last_exit}"
