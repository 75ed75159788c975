"""Ports: which are free, and who holds those that are not."""

import os
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.local.place import HIGHEST_OFFSET, PORTS, Place
from deploy.local.refusals import CannotStart
from deploy.local.waiting import wait_until

LISTENING = "0A"


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(place: Place, names: Iterable[str], seconds: float = 10.0) -> None:
    """Raises CannotStart naming every port that is taken, and by whom.

    Most of our ports lie where the system takes them for outgoing connections; what only such a connection holds, and
    nobody listens on, is waited for.
    """
    wait_until(lambda: all(listening_inodes(place.port(name)) for name in taken_ports(place, names)), seconds)
    taken = [f"port {place.port(name)} ({name}) {holder(place.port(name))}" for name in taken_ports(place, names)]
    if taken:
        raise CannotStart(f"{'; '.join(taken)}. Stop what holds it, or move this stack: PORT_OFFSET=100.")


def taken_ports(place: Place, names: Iterable[str]) -> list[str]:
    return [name for name in names if not is_free(place.port(name))]


def holder(port: int) -> str:
    """Who listens there, as far as we may look."""
    inodes = listening_inodes(port)
    if not inodes:
        return "is held by an outgoing connection"
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and holds(process, inodes):
            return f"is used by process {process.name} ({name_of(process)})"
    return "is used by another process"


def listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            columns = row.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    return inodes


def holds(process: Path, inodes: set[str]) -> bool:
    try:
        return any(os.readlink(descriptor) in inodes for descriptor in (process / "fd").iterdir())
    except OSError:  # another account's process, or gone meanwhile
        return False


def name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "gone"


def free_offset() -> int:
    """An offset at which a whole stack finds its ports free; for stacks that nobody has to find again."""
    for _ in range(200):
        offset = 1000 + secrets.randbelow(HIGHEST_OFFSET - 1000)
        if all(is_free(port + offset) for port in PORTS.values()):
            return offset
    raise CannotStart("No offset was found at which all ports of a stack are free.")
