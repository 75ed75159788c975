"""What a build may copy: the checkout, less what .dockerignore keeps out."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Context:
    """A folder, and the rules of its .dockerignore in their order: the last one that fits a file counts."""

    folder: Path
    rules: Sequence[str]

    def has(self, name: str) -> bool:
        """Whether the builder is given this file or folder."""
        path = PurePosixPath(name)
        return (self.folder / path).exists() and not self.leaves_out(path)

    def leaves_out(self, path: PurePosixPath) -> bool:
        """A rule about a folder is one about everything in it."""
        is_out = False
        for rule in self.rules:
            pattern = _pattern(rule.removeprefix("!"))
            if any(pattern.fullmatch(str(part)) for part in (path, *path.parents)):
                is_out = not rule.startswith("!")
        return is_out

    def copy(self, name: str, target: Path) -> None:
        """A file into or as `target`, or what is in a folder into `target`, as COPY does. Raises FileNotFoundError."""
        if not self.has(name):
            raise FileNotFoundError(f"{name} is not there, or .dockerignore keeps it out")
        source = self.folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True, ignore=self._ignored())
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)

    def _ignored(self) -> Callable[[str, list[str]], set[str]]:
        def out(folder: str, names: list[str]) -> set[str]:
            here = PurePosixPath(Path(folder).relative_to(self.folder).as_posix())
            return {name for name in names if self.leaves_out(here / name)}

        return out


def context_of(folder: Path) -> Context:
    """The context that a builder makes of this folder."""
    lines = map(str.strip, (folder / ".dockerignore").read_text().splitlines())
    return Context(folder, [line for line in lines if line and not line.startswith("#")])


@cache
def _pattern(rule: str) -> re.Pattern[str]:
    """`*` and `?` within a name, `**` for any number of folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", rule.strip("/"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part) or re.escape(part) for part in parts))
