"""`python -m deploy.images.try_steps`: does the Dockerfile's steps in a debootstrap root, and runs what comes out."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from deploy.images.build import Builder
from deploy.images.context import context_of
from deploy.images.recipe import DOCKERFILE, Recipe, UnreadableRecipe, read_recipe
from deploy.images.root import StepFailed, bare_root, missing_tools
from deploy.images.rules import complaints, leftovers
from deploy.images.trial import Trial
from deploy.local import CannotStart, Infrastructure, temporary_state
from deploy.local.place import PROJECT, cache_folder, place_from

NOT_HERE = 2


def main(arguments: Sequence[str]) -> int:
    """0 when the image works, 1 when a step or what comes out does not, 2 when it cannot be tried here."""
    asked = _parser().parse_args(arguments)
    try:
        recipe = read_recipe(asked.dockerfile.read_text())
        if told := complaints(recipe):
            raise StepFailed("\n".join(told))
        if reason := _not_here():
            print(f"The steps cannot be tried here: {reason}.", file=sys.stderr)
            return NOT_HERE
        begun = monotonic()
        _try(recipe, asked.mirror, asked.keep)
    except (UnreadableRecipe, StepFailed, CannotStart, OSError) as error:
        print(f"{asked.dockerfile.name}: {error}", file=sys.stderr)
        return 1
    print(f"the image works; tried in {monotonic() - begun:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    told = "Does the steps of the Dockerfile in a debootstrap root, then runs every process of the image as its user."
    parser = argparse.ArgumentParser(prog="python -m deploy.images.try_steps", description=told)
    parser.add_argument("--dockerfile", type=Path, default=DOCKERFILE, help="another one than the project's")
    parser.add_argument("--mirror", default="", help="where debootstrap gets Debian; default: its own")
    parser.add_argument("--keep", action="store_true", help="leave the roots of the stages there to be looked at")
    return parser


def _not_here() -> str | None:
    if os.geteuid() != 0:
        return "only root may mount and chroot"
    missing = missing_tools()
    return f"{', '.join(missing)} is not installed (apt install debootstrap)" if missing else None


def _try(recipe: Recipe, mirror: str, keep: bool) -> None:
    offset = place_from(os.environ).port_offset if os.environ.get("PORT_OFFSET") else None
    kept = cache_folder() / "images"
    bare = bare_root(mirror)
    folder = Path(tempfile.mkdtemp(prefix="try-", dir=kept))
    try:
        built = Builder(recipe, context_of(PROJECT), bare, folder, kept / "mounts").build(print)
        print(f"the image has {_megabytes(built.root.folder)} MB, of which Debian is {_megabytes(bare)} MB")
        if found := leftovers(built.root.folder):
            raise StepFailed(f"left in the image: {', '.join(found)}")
        with temporary_state() as state:
            (logs := state / "said").mkdir()
            Trial(recipe, built, logs, print).run(Infrastructure(state, offset))
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)


def _megabytes(folder: Path) -> int:
    done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
