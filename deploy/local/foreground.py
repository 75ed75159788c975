"""`run`: the stack in front of somebody's eyes, until a signal ends it."""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import Signals

from deploy.local.background import go_silent
from deploy.local.control import under_control
from deploy.local.instances import counts_in
from deploy.local.launch import PR_SET_PDEATHSIG
from deploy.local.logbook import show_on_terminal
from deploy.local.place import Place
from deploy.local.refusals import CannotStart
from deploy.local.stack import Stack
from deploy.local.waiting import PAUSE

ENDING = (Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP)


def run(place: Place, when_up: Callable[[Stack], None]) -> int:
    """Brings everything up, calls `when_up`, stays. Ends cleanly on Ctrl-C, SIGTERM, or when the terminal closes."""
    counts = counts_in(os.environ.get("INSTANCES", ""))
    follow_make()
    with ended_by_signals():
        try:
            with Stack(place.state, place.port_offset, say=tell, counts=counts) as stack, under_control(stack):
                show_on_terminal(stack.infrastructure.log)
                when_up(stack)
                stay(stack)
        except KeyboardInterrupt:
            tell("everything is stopped")
    return 0


def tell(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:  # the reader or the terminal is gone; that is no reason to stop
        go_silent()


def stay(stack: Stack) -> None:
    while stack.infrastructure.supervisor.is_alive:
        PAUSE.wait(2)
    raise CannotStart(f"The supervisor has failed; see {stack.place.log_of('local')}.")


def follow_make() -> None:
    """Under make, which may be killed without telling us, its end is ours too."""
    if "MAKELEVEL" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(Signals.SIGTERM), 0, 0, 0)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """The first signal ends the stack in order; Ctrl-C once more ends it at once, and the kernel takes the children."""
    before = {number: signal.signal(number, on_first_signal) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def on_first_signal(number: int, frame: object) -> None:
    for further in ENDING:
        signal.signal(further, let_pass)
    signal.signal(Signals.SIGINT, signal.SIG_DFL)
    tell("\nstopping …")
    raise KeyboardInterrupt


def let_pass(number: int, frame: object) -> None:
    """We are leaving already."""
