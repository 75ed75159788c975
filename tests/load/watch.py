"""The processes seen from outside: memory, descriptors, threads, CPU; and what others took meanwhile."""

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from chassis import clock
from tests.bench.processes import cpu_seconds, families, family

_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_THREADS: Final = re.compile(r"^Threads:\s+(\d+)", re.MULTILINE)
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_IDLE: Final = (3, 4)
_LISTENING: Final = "0A"
_OURS: Final = {"all of ours": os.getpid()}


@dataclass(frozen=True)
class Weight:
    """What a process takes with all its descendants; memory that they share is counted once."""

    resident_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """All processes at one moment, in seconds from the beginning of the watch; CPU in seconds since then."""

    at: float
    weights: Mapping[str, Weight]
    cpu: Mapping[str, float]
    strangers_cpu: float


def weights(pids: Mapping[str, int]) -> dict[str, Weight]:
    """Of each process by its name, with its descendants."""
    children = families()
    return {name: _weight(family(pid, children)) for name, pid in pids.items()}


def _weight(members: Iterable[int]) -> Weight:
    resident, descriptors, threads = 0, 0, 0
    for pid in members:
        process = Path(f"/proc/{pid}")
        try:
            resident += sum(map(int, _PSS.findall((process / "smaps_rollup").read_text())))
            threads += sum(map(int, _THREADS.findall((process / "status").read_text())))
            descriptors += len(os.listdir(process / "fd"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
    return Weight(resident / 1000, descriptors, threads)


def connections(port: int) -> int:
    """How many clients hold a connection to a port of this machine."""
    ours = f":{port:04X}"
    found = 0
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            # A connection that no process holds any more, as in TIME_WAIT, has no inode.
            found += cells[1].endswith(ours) and cells[3] != _LISTENING and cells[9] != "0"
    return found


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used so far."""
    first = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
    return sum(int(ticks) for number, ticks in enumerate(first) if number not in _IDLE) / _TICKS


@dataclass
class Watch:
    """Looks every few seconds, on a thread of its own, from `begin` to `end`. All that it watches descends from us.

    Connections that clients hold at `door` (process, port) are theirs and not counted as the process' descriptors.
    """

    pids: Callable[[], Mapping[str, int]]
    every: float
    door: tuple[str, int] = ("", 0)
    samples: list[Sample] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._begun_at = 0.0

    def begin(self) -> None:
        self._begun_at = clock.monotonic()
        self._busy, self._used = busy_seconds(), cpu_seconds({**self.pids(), **_OURS})
        self._thread.start()

    def end(self) -> Sequence[Sample]:
        """What was seen. Raises what kept it from looking."""
        self._over.set()
        self._thread.join()
        if self.trouble:
            raise self.trouble[0]
        return self.samples

    def _look(self) -> None:
        try:
            while not self._over.wait(self.every):
                self.samples.append(self._sample())
            self.samples.append(self._sample())
        except OSError as error:
            self.trouble.append(error)

    def _sample(self) -> Sample:
        pids = dict(self.pids())
        used = cpu_seconds({**pids, **_OURS})
        cpu = {name: seconds - self._used.get(name, 0.0) for name, seconds in used.items()}
        strangers = busy_seconds() - self._busy - cpu.pop(*_OURS)
        return Sample(clock.monotonic() - self._begun_at, self._weights(pids), cpu, max(0.0, strangers))

    def _weights(self, pids: Mapping[str, int]) -> dict[str, Weight]:
        name, port = self.door
        clients, found = connections(port), weights(pids)
        if name in found:
            found[name] = replace(found[name], descriptors=max(0, found[name].descriptors - clients))
        return found
