"""`make load`: what customers do, at once and in crowds, against a system of its own; 0 when every bar is met."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from typing import Final

from deploy.local import CannotStart, Stack, temporary_state
from deploy.local.place import offset_from
from tests.bench import table
from tests.load import report
from tests.load.run import Broke, Outcome, Runner
from tests.load.scenarios import NAMES, SHORT, SOAK, seconds_of, soak
from tests.load.tool import NoLoadClient, find_k6

EPILOG: Final = """
All but the soak take about eight minutes. PORT_OFFSET says where the system stands (default: where there is room), K6
names a k6 of your own. Exit code: 0 every bar is met, 1 one is missed, 2 a wrong call, or something is not there.
"""
_WARM_SECONDS: Final = 30.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__, epilog=EPILOG)
    parser.add_argument("--only", default="", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--soak", action="store_true", help="the soak as well, after the others")
    parser.add_argument("--duration", default="15m", help="of the soak (default 15m)")
    parser.add_argument("--rate", type=int, default=0, help="of the soak, orders/s (default: half of what it takes)")
    parser.add_argument("--report", type=Path, default=Path("build/load"), help="where it goes (default build/load)")
    asked = parser.parse_args()
    if asked.only and asked.only not in NAMES:
        parser.error(f"ONLY is {asked.only!r}: it must be one of {', '.join(NAMES)}")
    if asked.rate < 0:
        parser.error(f"RATE is {asked.rate}: it must be 1 or more orders a second")
    try:
        asked.seconds = seconds_of(asked.duration)
    except ValueError as error:
        parser.error(str(error))
    return asked


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _outcomes(runner: Runner, asked: argparse.Namespace) -> Iterator[Outcome]:
    """Each as soon as it is there."""
    for name, scenario in SHORT.items():
        if asked.only in ("", name):
            yield runner.run(scenario)
    if asked.only == SOAK or (asked.soak and not asked.only):
        rate = asked.rate
        if not rate:
            _say(f"  soak: how much it takes, {_WARM_SECONDS:g} s")
            rate = max(1, round(runner.saturation(_WARM_SECONDS) / 2))
        yield runner.run(soak(asked.seconds, rate))


def load(asked: argparse.Namespace, k6: Path) -> Sequence[Outcome]:
    """All that was asked for, told and written down as it comes."""
    offset = offset_from(os.environ["PORT_OFFSET"]) if "PORT_OFFSET" in os.environ else None
    outcomes: list[Outcome] = []
    print(table.machine(), flush=True)
    with temporary_state() as state, Stack(state / "stack", offset, say=_say) as stack:
        folder = state / "k6"
        folder.mkdir()
        runner = Runner(stack, k6, folder, _say)
        runner.stock_up()
        for outcome in _outcomes(runner, asked):
            outcomes.append(outcome)
            print("\n".join(report.told(outcome)), flush=True)
            report.write(outcomes, asked.report)
        runner.close()
    return outcomes


def main() -> int:
    """Find k6, start a system, load it, stop it; also when we are told to end."""
    asked = _arguments()
    signal(SIGTERM, default_int_handler)
    try:
        outcomes = load(asked, find_k6(_say))
    except (NoLoadClient, CannotStart, Broke) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was measured before is in the report", file=sys.stderr)
        return 2
    missed = [f"{outcome.scenario.name}: {bar.what}" for outcome in outcomes for bar in outcome.bars if not bar.is_met]
    print(f"\n{asked.report}/report.html has the charts. " + (f"MISSED: {'; '.join(missed)}" if missed else "All met."))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
