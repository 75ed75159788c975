"""`python -m protos.breaking`: refuses what would break a client or a message of the last release."""

import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from protos.buf import run_buf
from protos.compiler import PROJECT, CannotCompile, compile_image

RELEASES = Path("docs", "releases.md")
ROW = re.compile(r"^\|\s*\d+\.\d+\.\d+\s*\|[^|]*\|\s*`?([0-9a-f]{7,40})`?\s*\|", re.MULTILINE)


def main() -> int:
    commit = last_release(PROJECT)
    if commit is None:
        print(f"protos: nothing to compare with, {RELEASES} names no release yet")
        return 0
    try:
        complaints = breaking_since(PROJECT, commit)
    except CannotCompile as error:
        complaints = [str(error)]
    print("\n".join(complaints) or f"protos: nothing breaks clients of {commit}")
    return 1 if complaints else 0


def last_release(root: Path) -> str | None:
    """The commit of the newest release: the first row of the table in docs/releases.md."""
    found = ROW.search((root / RELEASES).read_text())
    return found[1] if found else None


def breaking_since(root: Path, commit: str) -> Sequence[str]:
    """What buf has to say about the difference. Raises CannotCompile."""
    with TemporaryDirectory() as scratch:
        before = Path(scratch, "before")
        unpack(root, commit, before)
        old = compile_image(before, Path(scratch, "old.binpb"))
        new = compile_image(root, Path(scratch, "new.binpb"))
        return run_buf("breaking", str(new), "--against", str(old), "--path", "protos")


def unpack(root: Path, commit: str, target: Path) -> None:
    """The protos as they were at that commit. Raises CannotCompile where the history does not reach so far."""
    done = subprocess.run(["git", "archive", commit, "protos"], cwd=root, capture_output=True)
    if done.returncode != 0:
        raise CannotCompile(
            f"{RELEASES} names {commit}, which git cannot read here: {done.stderr.decode().strip()}."
            " In a shallow clone: git fetch --unshallow."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            if (stream := archive.extractfile(member)) is not None:
                (target / member.name).parent.mkdir(parents=True, exist_ok=True)
                (target / member.name).write_bytes(stream.read())


if __name__ == "__main__":
    sys.exit(main())
