"""`logs`: the log files of a stack beside each other, each line with the name of its process."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.place import Place
from deploy.local.refusals import CannotStart
from deploy.local.waiting import PAUSE

LOOK_EVERY_SECONDS = 0.3
END_BYTES = 200_000


@dataclass
class Reader:
    """Reads what was added to one log since it was last asked."""

    file: Path
    position: int = 0

    def last(self, lines: int) -> Sequence[str]:
        self.position = max(0, self.file.stat().st_size - END_BYTES)
        return self.added()[-lines:] if lines else []

    def added(self) -> Sequence[str]:
        """Whole lines only; a file that became shorter was begun anew."""
        if not self.file.exists():
            return []
        if self.file.stat().st_size < self.position:
            self.position = 0
        with self.file.open("rb") as stream:
            stream.seek(self.position)
            whole, _, _ = stream.read().rpartition(b"\n")
        self.position += len(whole) + 1 if whole else 0
        return whole.decode(errors="replace").splitlines()

    def show(self, lines: Sequence[str]) -> None:
        sys.stdout.writelines(f"{self.file.stem:<26} | {line}\n" for line in lines)
        sys.stdout.flush()


def logs(place: Place, names: Sequence[str], lines: int, follow: bool) -> int:
    """Shows the last lines of each log, then what is added, until Ctrl-C."""
    readers = [Reader(file) for file in log_files(place, names)]
    for reader in readers:
        reader.show(reader.last(lines))
    try:
        while follow:
            PAUSE.wait(LOOK_EVERY_SECONDS)
            for reader in readers:
                reader.show(reader.added())
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 0


def log_files(place: Place, names: Sequence[str]) -> Sequence[Path]:
    there = {file.stem: file for file in sorted(place.logs.glob("*.log"))}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise CannotStart(f"There is no log of {', '.join(unknown)}; there are: {', '.join(there) or 'none yet'}.")
    return [there[name] for name in names or there]
