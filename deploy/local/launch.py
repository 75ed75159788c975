"""Becomes a child process: steps down to its account, ties its life to the parent's, then runs the command.

Run as a file (`python -I -S launch.py PARENT ACCOUNT SIGNAL COMMAND…`), so that it starts in milliseconds;
it replaces itself, so nothing of it stays in memory.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(account: str) -> None:
    entry = pwd.getpwnam(account)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with_parent(libc: ctypes.CDLL, parent: int, signal_number: int) -> None:
    """The kernel forgets the wish on setuid, so this comes after `become`; the parent may be gone already."""
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        sys.exit("the kernel does not tell children about their parent's death")
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def main(parent: str, account: str, signal_number: str, *command: str) -> None:
    libc = ctypes.CDLL(None)
    if account:
        become(account)
    die_with_parent(libc, int(parent), int(signal_number))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
