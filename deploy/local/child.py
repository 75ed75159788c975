"""One child process, started the same way whatever it is: own session, log file, bound to our life."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.local.place import PROJECT

LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 20_000_000


@dataclass(frozen=True)
class Command:
    """What to run, and how it wants to be ended."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    account: str = ""
    directory: Path = PROJECT
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 15.0

    def with_environment(self, extra: Mapping[str, str]) -> "Command":
        return replace(self, environment={**self.environment, **extra})


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Starts it. The calling *thread* is its parent: when that thread ends, so does the child."""
    keep_log_small(command.log)
    with command.log.open("ab") as log:
        return subprocess.Popen(
            launched(command.arguments, command.account, command.orphan_signal),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.directory,
            start_new_session=True,
        )


def attached(arguments: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Runs something at our terminal to its end, and returns its exit code. Ctrl-C reaches it as it reaches us."""
    return subprocess.run(launched(arguments), env=dict(environment), check=False).returncode


def launched(
    arguments: tuple[str, ...], account: str = "", orphan_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    fate = (str(os.getpid()), account, str(int(orphan_signal)))
    return [sys.executable, "-I", "-S", str(LAUNCH), *fate, *arguments]


def keep_log_small(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def signal_group(pid: int, number: signal.Signals) -> None:
    """To the child and whatever it started; it may be gone already."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def signal_one(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def last_words(log: Path, lines: int = 12) -> str:
    """The end of a log file, for the sentence that explains why something did not come up."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
