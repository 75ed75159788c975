"""Who holds a port, as far as the kernel lets us look."""

import os
from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"


def is_listened_on(port: int) -> bool:
    return any(state == LISTENING for state, _ in sockets_on(port))


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens there, whoever else may."""
    inodes = {f"socket:[{inode}]" for state, inode in sockets_on(port) if state == LISTENING}
    return bool(inodes) and holds(Path(f"/proc/{pid}"), inodes)


def holder(port: int) -> str:
    """A listener first; else whoever's outgoing connection was given this port."""
    found = sorted(sockets_on(port), key=lambda entry: entry[0] != LISTENING)
    inodes = {f"socket:[{inode}]" for state, inode in found if state == found[0][0]}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and holds(process, inodes):
            return f"is used by process {process.name} ({name_of(process)})"
    return "is used by another process" if is_listened_on(port) else "is held by a connection that was closed just now"


def sockets_on(port: int) -> Iterator[tuple[str, str]]:
    """State and inode of every socket whose own port this is."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for row in table.read_text().splitlines()[1:] if table.exists() else ():
            columns = row.split()
            if int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[3], columns[9]


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
