"""`python -m tests.chaos.alerts`: the real system, a real Prometheus, and one after the other what alerts are about."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chassis import clock
from deploy.local import Stack, temporary_state
from tests.chaos.alerts.causes import CAUSES, Cause
from tests.chaos.alerts.prometheus import NoPrometheus, Prometheus, watching
from tests.waiting import until

FIRES_SECONDS: Final = 180.0
ENDS_SECONDS: Final = 240.0


def say(line: str) -> None:
    print(line, flush=True)


def seen(stack: Stack, prometheus: Prometheus, cause: Cause) -> bool:
    """Whether the alert is silent before, fires for its cause, and is silent again; said as a line of a table."""
    if prometheus.firing(cause.alert, **cause.labels):
        say(f"| {cause.alert} | {cause.told} | before its cause | |")
        return False
    with cause.make(stack):
        begun = clock.monotonic()
        found = until(lambda: prometheus.firing(cause.alert, **cause.labels), seconds=FIRES_SECONDS, every=0.2)
        fired = clock.monotonic() - begun
    begun = clock.monotonic()
    ended = until(lambda: not prometheus.firing(cause.alert, **cause.labels), seconds=ENDS_SECONDS, every=0.2)
    ended_after = clock.monotonic() - begun
    told = f"{fired:.1f} s" if found else "never"
    say(f"| {cause.alert} | {cause.told} | {told} | {ended_after:.1f} s |")
    return bool(found) and ended


def run(causes: Sequence[Cause]) -> int:
    """Start all of it, cause what is asked for, stop all of it; the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="alerts-") as folder,
        temporary_state() as state,
        Stack(state) as stack,
        watching(stack, Path(folder)) as prometheus,
    ):
        say("| alert | caused by | fired after | silent again after |\n|---|---|---|---|")
        failed = [cause.alert for cause in causes if not seen(stack, prometheus, cause)]
    return 1 if failed else 0


def main() -> int:
    """0: every alert fired for its cause, and ended with it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.alerts", description=__doc__)
    names = [cause.alert for cause in CAUSES]
    parser.add_argument("alert", nargs="*", help=f"some of {', '.join(names)} (default: all)")
    asked = parser.parse_args().alert
    if unknown := set(asked) - set(names):
        parser.error(f"there is no cause for {', '.join(sorted(unknown))}")
    try:
        return run([cause for cause in CAUSES if not asked or cause.alert in asked])
    except NoPrometheus as reason:
        print(reason, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
