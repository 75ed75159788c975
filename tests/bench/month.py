"""A sample month, imported as an operator would."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chassis import clock
from deploy.local.stack import Stack


@dataclass
class Month:
    """How long the import command took until every order was terminal, and what it said last."""

    seconds: float
    last_line: str


def import_month(stack: Stack) -> Month:
    """Make a month of 1,400 good orders, its products and stock, and import it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "month.csv"
        _orderctl(stack, "sample", str(file))
        _orderctl(stack, "catalogue", "from-orders", str(file))
        started = clock.monotonic()
        said = _orderctl(stack, "import", str(file))
        return Month(clock.monotonic() - started, said.strip().splitlines()[-1])


def _orderctl(stack: Stack, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("orderctl")), *arguments]
    environment = {**stack.environment, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout
