"""How a stack that runs is told to change: one question a connection, at a socket in its state folder."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

from deploy.local.place import Place
from deploy.local.refusals import CannotStart
from deploy.local.sole_owner import SoleOwner
from deploy.local.stack import Stack

END: Final = "\0"
"""Begins the last line of an answer; behind it stands why it was not done, or nothing."""


@contextmanager
def under_control(stack: Stack) -> Iterator[None]:
    """As long as this lasts, the stack does what it is told to; one thing after another."""
    stack.place.control.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening, short_path(stack.place.control) as path:
        listening.bind(path)
        stack.place.control.chmod(0o600)
        listening.listen()
        threading.Thread(target=_serve, args=(listening, stack), name="control", daemon=True).start()
        try:
            yield
        finally:
            stack.place.control.unlink(missing_ok=True)


def _serve(listening: socket.socket, stack: Stack) -> None:
    with suppress(OSError):  # closed: the stack leaves
        while True:
            connection, _ = listening.accept()
            with connection, connection.makefile("rw") as stream, suppress(OSError):
                _answer(stream, stack)


def _answer(stream: TextIO, stack: Stack) -> None:
    def say(line: str) -> None:
        with suppress(OSError):  # who asked is gone; it is done all the same
            print(line, file=stream, flush=True)

    try:
        _do(json.loads(stream.readline()), stack, say)
    except CannotStart as sentence:
        say(f"{END}{json.dumps(str(sentence))}")
    else:
        say(END)


def _do(asked: Mapping[str, Any], stack: Stack, say: Callable[[str], None]) -> None:
    if asked["verb"] == "scale":
        stack.scale(asked["counts"], say)
    else:
        stack.roll(asked["names"], say)


def scale(place: Place, counts: Mapping[str, int]) -> int:
    """Asks the stack of this place for so many of each; shows what it does. Raises CannotStart."""
    return _ask(place, {"verb": "scale", "counts": counts})


def roll(place: Place, names: Sequence[str]) -> int:
    """Asks it to have every process succeeded, or those named; shows what it does. Raises CannotStart."""
    return _ask(place, {"verb": "roll", "names": names})


def _ask(place: Place, question: Mapping[str, Any]) -> int:
    if not place.control.exists() or SoleOwner(place.state).holder() is None:
        raise CannotStart(f"No stack runs on {place.state}; `make start` starts one.")
    with socket.socket(socket.AF_UNIX) as connection, short_path(place.control) as path:
        connection.connect(path)
        with connection.makefile("rw") as stream:
            print(json.dumps(question), file=stream, flush=True)
            for line in stream:
                if line.startswith(END):
                    return _ended(line.removeprefix(END).strip())
                print(line, end="", flush=True)
    raise CannotStart(f"The stack on {place.state} ended meanwhile.")


def _ended(refusal: str) -> int:
    if refusal:
        raise CannotStart(json.loads(refusal))
    return 0


@contextmanager
def short_path(socket_file: Path) -> Iterator[str]:
    """A name of the socket that the kernel takes, which allows 107 letters, however deep the folder lies."""
    folder = os.open(socket_file.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{socket_file.name}"
    finally:
        os.close(folder)
