"""`make chaos`: runs of seeded load and faults against the real system; 0 when every run keeps every invariant."""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis import clock
from tests.chaos.links import LinkedInfrastructure, LinkedStack
from tests.chaos.run import Outcome, Runs, told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default="", help="what faults and wishes are drawn from (default: a new one)")
    parser.add_argument("--runs", type=int, default=10, help="how many runs (default 10)")
    parser.add_argument("--seconds", type=float, default=10, help="seconds of load and faults in each (default 10)")
    parser.add_argument("--from", dest="first", type=int, default=1, help="number of the first run (default 1)")
    parser.add_argument("--logs", type=Path, default=Path(".local/chaos"), help="where logs go when a run fails")
    asked = parser.parse_args()
    if asked.runs < 1 or not 1 <= asked.seconds <= 600 or asked.first < 1:
        parser.error("RUNS and FROM begin at 1, SECONDS is from 1 to 600")
    return asked


def say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def linked_stack(say: Callable[[str], None]) -> Iterator[LinkedStack]:
    """The whole system on ports of its own, every link through a proxy; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        # Postgres may run as another user than we do, who must be able to enter.
        Path(folder).chmod(0o755)
        with LinkedInfrastructure(Path(folder), say) as infrastructure, LinkedStack(infrastructure) as stack:
            yield stack


def chaos(stack: LinkedStack, asked: argparse.Namespace, seed: str) -> list[Outcome]:
    """All runs, told as they come."""
    runs = Runs(stack, say)
    outcomes = []
    for number in range(asked.first, asked.first + asked.runs):
        begun_at = clock.now()
        say(f"run {number} ({number - asked.first + 1} of {asked.runs}), SEED={seed} FROM={number}")
        outcomes.append(outcome := runs.run(seed, number, asked.seconds))
        for line in outcome.skipped:
            say(f"    not possible: {line}")
        say(told(outcome, begun_at))
        for line in outcome.stories:
            say(f"    {line}")
        if outcome.broken:
            _keep_logs(stack, asked.logs / f"{seed}-{number}")
    runs.close()
    return outcomes


def _keep_logs(stack: LinkedStack, where: Path) -> None:
    shutil.copytree(stack.place.logs, where, dirs_exist_ok=True)
    say(f"    the logs of all processes are in {where}")


def main() -> int:
    """Start a stack of its own, torment it, stop it."""
    asked = _arguments()
    seed = asked.seed or secrets.token_hex(4)
    with linked_stack(say) as stack:
        outcomes = chaos(stack, asked, seed)
    faults = sum((outcome.faults for outcome in outcomes), Counter[str]())
    say(f"faults: {', '.join(f'{kind} {count}' for kind, count in faults.most_common())}")
    failed = [str(outcome.number) for outcome in outcomes if outcome.broken]
    orders = sum(sum(outcome.orders.values()) for outcome in outcomes)
    say(f"seed {seed}: {len(outcomes)} runs, {orders} orders, {len(failed)} failed{': ' if failed else ''}"
        + ", ".join(failed))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
