"""`make chaos`: runs of seeded load and faults against the real system; 0 when every run keeps every invariant."""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chassis import clock
from tests.chaos.links import LinkedInfrastructure, LinkedStack
from tests.chaos.run import Outcome, Runs, told

EPILOG: Final = """
It starts a system of its own and stops it at the end. Each run: load and faults, then all is healed, then at most 60 s
until everything is quiet and every invariant holds. A run that breaks one is told with its schedule, what broke, and
all that is known of the first orders among it; the same seed and number give the same faults and wishes again:
    make chaos SEED=1923463d FROM=7 RUNS=1
With SECONDS=10 a run takes about half a minute. Exit code: 0 nothing broke, 1 something did, 2 a wrong call.
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Torments the real system with load and seeded faults, heals it, and holds it to its invariants.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", default="", help="what faults and wishes are drawn from (default: a new one)")
    parser.add_argument("--runs", type=int, default=10, help="how many runs (default 10)")
    parser.add_argument("--seconds", type=float, default=10, help="seconds of load and faults in each (default 10)")
    parser.add_argument("--from", dest="first", type=int, default=1, help="number of the first run (default 1)")
    parser.add_argument(
        "--logs", type=Path, default=Path(".local/chaos"), help="where logs go when a run fails (default .local/chaos)"
    )
    asked = parser.parse_args()
    if asked.runs < 1 or not 1 <= asked.seconds <= 600 or asked.first < 1:
        parser.error("RUNS and FROM begin at 1, SECONDS is from 1 to 600")
    return asked


def say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def linked_stack(say: Callable[[str], None], simulators: str = "http") -> Iterator[LinkedStack]:
    """The whole system on ports of its own, every link through a proxy; gone afterwards.

    Parties outside are processes, too, unless the simulators are `inprocess`.
    """
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        # Postgres may run as another user than we do, who must be able to enter.
        Path(folder).chmod(0o755)
        with (
            LinkedInfrastructure(Path(folder), say) as infrastructure,
            LinkedStack(infrastructure, simulators) as stack,
        ):
            yield stack


def chaos(stack: LinkedStack, asked: argparse.Namespace, seed: str) -> list[Outcome]:
    """All runs, told as they come."""
    runs = Runs(stack, say)
    outcomes: list[Outcome] = []
    started = clock.monotonic()
    for number in range(asked.first, asked.first + asked.runs):
        begun_at = clock.now()
        say(f"run {number} ({_progress(outcomes, asked.runs, clock.monotonic() - started)}), SEED={seed} FROM={number}")
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


def _progress(outcomes: Sequence[Outcome], runs: int, seconds: float) -> str:
    """How far it has come, and how long the rest will take."""
    told = f"{len(outcomes) + 1} of {runs}"
    if not outcomes:
        return told
    left = seconds / len(outcomes) * (runs - len(outcomes))
    failed = sum(bool(outcome.broken) for outcome in outcomes)
    return f"{told}, {failed} failed so far, about {left / 60:.0f} min left"


def _keep_logs(stack: LinkedStack, where: Path) -> None:
    shutil.copytree(stack.place.logs, where, dirs_exist_ok=True)
    say(f"    the logs of all processes are in {where}")


def summary(outcomes: Sequence[Outcome], seed: str) -> str:
    """The last line: what was done, and whether it held."""
    faults = sum((outcome.faults for outcome in outcomes), Counter[str]())
    orders = sum((outcome.orders for outcome in outcomes), Counter[str]())
    numbers = [outcome.number for outcome in outcomes]
    kinds = ", ".join(f"{kind} {count}" for kind, count in faults.most_common())
    return (
        f"seed {seed}, runs {numbers[0]} to {numbers[-1]}: {sum(bool(outcome.broken) for outcome in outcomes)} failed;"
        f" {orders.total()} orders ({', '.join(f'{count} {status}' for status, count in orders.most_common())});"
        f" {faults.total()} faults ({kinds})"
    )


def main() -> int:
    """Start a stack of its own, torment it, stop it."""
    asked = _arguments()
    seed = asked.seed or secrets.token_hex(4)
    with linked_stack(say) as stack:
        outcomes = chaos(stack, asked, seed)
    failed = [outcome for outcome in outcomes if outcome.broken]
    for outcome in failed:
        say(f"failed: SEED={seed} FROM={outcome.number} RUNS=1: {', '.join(outcome.broken)}")
    say(summary(outcomes, seed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
