"""How buf is called, and what it answers."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from protos.compiler import CannotCompile

CONFIG = Path(__file__).with_name("buf.yaml")
COMPLAINTS = 100


def run_buf(*words: str) -> Sequence[str]:
    """One line per complaint, none when all is well. Raises CannotCompile when buf itself cannot do it."""
    program = shutil.which("buf", path=str(Path(sys.executable).parent))
    if program is None:
        raise CannotCompile("buf is not installed: pip install -r requirements-dev.lock")
    done = subprocess.run([program, *words, "--config", str(CONFIG)], capture_output=True, text=True)
    if done.returncode not in (0, COMPLAINTS):
        raise CannotCompile(done.stderr.strip() or f"buf ended with {done.returncode}")
    return done.stdout.splitlines()
