"""What processes cost: CPU seconds and resident memory from /proc, of each with all its descendants."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def _stat(pid: int) -> list[str]:
    # The command's name may hold spaces; the fields that follow it do not.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def families() -> dict[int, list[int]]:
    """The children of each process."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return children


def family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    """A process with all its descendants."""
    return [pid, *(member for child in children.get(pid, []) for member in family(child, children))]


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds used so far, per name; of children that ended as well."""
    children = families()
    used: dict[str, float] = {}
    for name, pid in pids.items():
        total = 0.0
        for member in family(pid, children):
            try:
                fields = _stat(member)
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(map(int, fields[11:13])) / _TICKS
            # A child that was waited for is in its parent's account.
            total += sum(map(int, fields[13:15])) / _TICKS
        used[name] = total
    return used


def tasks_of(pid: int) -> list[int]:
    """The threads of a process, itself among them."""
    return [thread.id for thread in psutil.Process(pid).threads()]


def ports_of(pid: int) -> set[int]:
    """The local ports of a process's TCP connections."""
    return {connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp")}


def resident_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident megabytes of the largest process of each family (Postgres' share their buffers)."""
    children = families()
    return {
        name: max(int(_stat(member)[21]) * _PAGE_MB for member in family(pid, children)) for name, pid in pids.items()
    }
