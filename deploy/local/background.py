"""`start` and `stop`: the stack without a terminal."""

import os
import signal
import subprocess
import sys

from deploy.local.place import PROJECT, Place
from deploy.local.refusals import CannotStop
from deploy.local.sole_owner import SoleOwner
from deploy.local.waiting import wait_until

STOP_SECONDS = 90.0
UP = "\0"  # the last thing that a stack in the background tells its starter


def start(place: Place) -> int:
    """Shows how it comes up, and returns when it is up or has failed."""
    if SoleOwner(place.state).holder() is not None:
        print(f"the stack on {place.state} runs already; `make status` shows it")
        return 0
    process = run_in_background()
    try:
        return 0 if came_up(process) else process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def run_in_background() -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local", "run", "--in-background"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROJECT,
        env=environment,
        start_new_session=True,
    )


def came_up(process: subprocess.Popen[str]) -> bool:
    for line in process.stdout or ():
        if line.strip() == UP:
            return True
        print(line, end="", flush=True)
    return False


def detach() -> None:
    """Tells the starter that all is up, and from then on nothing to anybody but the log."""
    print(UP, flush=True)
    go_silent()


def go_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def stop(place: Place) -> int:
    """Ends the stack of this state folder, wherever it was started, and returns when all of it is gone."""
    owner = SoleOwner(place.state)
    pid = owner.holder()
    if pid is None:
        print(f"nothing runs on {place.state}")
        return 0
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: owner.holder() is None, STOP_SECONDS, every=0.1):
        raise CannotStop(f"Process {pid} still runs after {STOP_SECONDS:.0f} s; see {place.log_of('local')}.")
    print(f"the stack on {place.state} is stopped")
    return 0
