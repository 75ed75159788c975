"""`python -m tests.chaos.several`: scaling, a rolling restart, and two releases side by side, each under load."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local import Stack
from tests.chaos.several.releases import TwoReleases, previous_release
from tests.chaos.several.trial import SETTINGS, Found, Trial, pause

TRIALS: Final = ("scaling", "rolling", "releases")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Start a stack of its own for each trial, stop it; 0 when nothing failed and nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.several", description=__doc__)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"any of {', '.join(TRIALS)}; default: all")
    parser.add_argument("--seconds", type=float, default=10, help="of load around and between the steps (default 10)")
    asked = parser.parse_args()
    if unknown := set(asked.trials) - set(TRIALS):
        parser.error(f"there is no trial named {', '.join(sorted(unknown))}; there are {', '.join(TRIALS)}")
    found = [trial for name in asked.trials or TRIALS for trial in BY_NAME[name](asked.seconds)]
    return 1 if any(trial.broken or trial.failed for trial in found) else 0


@contextmanager
def folder() -> Iterator[Path]:
    """For a stack of ours; Postgres may run as another user than we do, who must be able to enter."""
    with tempfile.TemporaryDirectory(prefix="several-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def scaling(seconds: float) -> list[Found]:
    """One of each, two of each, workers apart, and back."""
    with folder() as state, Stack(state, None, SETTINGS) as stack:
        return [tried(Trial(stack), "scaling", lambda: scale_up_and_down(stack, seconds), seconds)]


def scale_up_and_down(stack: Stack, seconds: float) -> None:
    """Every service, and every role that can run apart."""
    services = ("order_service", "inventory_service", "payment_service", "supplier_service")
    apart = {f"{name}:{role}": 1 for name in services for role in ("relay", "jobs")}
    workers = [f"{name}:worker" for name in services]
    steps: list[Mapping[str, int]] = [
        dict.fromkeys((*services, "gateway"), 2),
        {**dict.fromkeys((*services, "gateway"), 1), **dict.fromkeys(workers, 2), **apart},
        dict.fromkeys(workers, 1),
        dict.fromkeys((*workers, *apart), 0),
    ]
    for counts in steps:
        say(f"  scale {' '.join(f'{name}={count}' for name, count in counts.items())}")
        stack.scale(counts)
        pause(seconds)


def rolling(seconds: float) -> list[Found]:
    """Every process succeeded by another: one of each, and two of each."""
    found = []
    with folder() as state, Stack(state, None, SETTINGS) as stack:
        found.append(tried(Trial(stack), "rolling, one of each", stack.roll, seconds))
        stack.scale({service.name: 2 for service in stack.services})
        found.append(tried(Trial(stack), "rolling, two of each", stack.roll, seconds))
    return found


def releases(seconds: float) -> list[Found]:
    """This release and the one before, side by side."""
    with folder() as state, folder() as code, TwoReleases(state, previous_release(code), SETTINGS, say) as stack:
        return [tried(Trial(stack, stack.ports), "two releases", lambda: pause(3 * seconds), seconds)]


def tried(trial: Trial, name: str, act: Callable[[], None], seconds: float) -> Found:
    """One trial, told."""
    found = trial.run(name, act, seconds)
    trial.close()
    say(f"{name}: {found}")
    for line in (*found.failed, *found.stories):
        say(f"    {line}")
    return found


BY_NAME: Final[Mapping[str, Callable[[float], list[Found]]]] = {
    "scaling": scaling,
    "rolling": rolling,
    "releases": releases,
}

if __name__ == "__main__":
    sys.exit(main())
