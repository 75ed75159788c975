"""`python -m protos.lint`: holds the protos to buf's standard rules; protos/buf.yaml names the exceptions."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from protos.buf import run_buf
from protos.compiler import PROJECT, CannotCompile, compile_image


def main() -> int:
    try:
        complaints = lint(PROJECT)
    except CannotCompile as error:
        complaints = [str(error)]
    print("\n".join(complaints) or "protos: no complaints")
    return 1 if complaints else 0


def lint(root: Path) -> Sequence[str]:
    """What buf has to say about the protos below `root`. Raises CannotCompile."""
    with TemporaryDirectory() as scratch:
        image = compile_image(root, Path(scratch, "image.binpb"))
        return run_buf("lint", str(image), "--path", "protos")


if __name__ == "__main__":
    sys.exit(main())
