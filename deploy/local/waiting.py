"""Waiting for something to become true, with an end."""

import threading
from collections.abc import Callable
from time import monotonic

PAUSE = threading.Event()  # never set: `wait` on it is a pause that a signal handler may interrupt


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Whether it became true in time."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() >= deadline:
            return False
        PAUSE.wait(every)
    return True
