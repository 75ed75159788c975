"""What must be true of the Dockerfile, told from its text; `leftovers` tells what must not be in the image itself."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from deploy.images.recipe import Recipe, Step

_HOST = re.compile(r"://|(?<![\w.-])(?:[a-z0-9-]+\.)+(?:com|dev|io|net|org|arpa|local)(?![\w-])", re.IGNORECASE)
_BUILDS = re.compile(
    r"^(build-essential|gcc|g\+\+|clang|cpp|make|cmake|binutils|cargo|rustc|golang|python3?-(dev|pip|venv))"
)
_SECRET = re.compile(r"(PASSWORD|SECRET|TOKEN|_KEY)$")
_LABELS = ("title", "description", "licenses", "version", "revision")
_TOOLS = re.compile(r"^(cc|c89|c99|gcc|g\+\+|c\+\+|clang|cpp|ld|as|make|cmake|cargo|rustc|go|pip|pip3|uv)(-?[\d.]+)?$")
_LIBRARIES = re.compile(r"^(pip|ensurepip|setuptools|grpc_tools|hatchling)$")
_PROGRAMS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "opt/order-system/bin")


def complaints(recipe: Recipe) -> list[str]:
    """A sentence for each rule that is broken, with the line."""
    return [sentence for rule in RULES for sentence in rule(recipe)]


def _ends_as_nobody(recipe: Recipe) -> Iterator[str]:
    user = next((told for stage in reversed(recipe.ancestry(recipe.image)) if (told := stage.last("USER"))), None)
    if user is None:
        yield "the image runs as root: it has no USER"
    elif not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user.value):
        yield f"line {user.line}: USER {user.value} must be two numbers that are not 0"


def _installs_what_is_locked(recipe: Recipe) -> Iterator[str]:
    for step in _all(recipe, "RUN"):
        for command in _commands(step):
            if "pip" in command and "install" in command.split() and not _is_pinned(command.split()):
                yield f"line {step.line}: `{command}` installs what no lock gives a sum for"


def _is_pinned(words: Sequence[str]) -> bool:
    if "--no-index" in words:
        return "--no-deps" in words
    named = words[words.index("install") + 1 :]
    allowed = {"--require-hashes", "--requirement", "-r", "--quiet"}
    return "--require-hashes" in words and all(word in allowed or word.endswith(".lock") for word in named)


def _has_no_tools(recipe: Recipe) -> Iterator[str]:
    for stage in recipe.ancestry(recipe.image):
        for step in stage.all("RUN"):
            yield from _tools_in(step)


def _tools_in(step: Step) -> Iterator[str]:
    for command in _commands(step):
        words = command.split()
        if words[:2] == ["apt-get", "install"]:
            named = [word for word in words[2:] if _BUILDS.match(word)]
            yield from (f"line {step.line}: {name} stays in the image" for name in named)
        elif "pip" in command:
            yield f"line {step.line}: the image installs packages itself: `{command}`"


def _names_its_base(recipe: Recipe) -> Iterator[str]:
    for stage in recipe.stages:
        if recipe.stage(stage.base) is None and re.search(r"^[^:@]+(:latest)?$", stage.base):
            yield f"FROM {stage.base}: says no version"


def _names_no_host(recipe: Recipe) -> Iterator[str]:
    told = [(stage.base, "FROM") for stage in recipe.stages if recipe.stage(stage.base) is None]
    told += [
        (step.value, f"line {step.line}") for stage in recipe.stages for step in stage.steps if not _is_label(step)
    ]
    yield from (f"{where}: {match[0]} names a host" for text, where in told if (match := _HOST.search(text)))


def _is_label(step: Step) -> bool:
    return step.instruction == "LABEL"


def _keeps_no_secret(recipe: Recipe) -> Iterator[str]:
    for step in [*_all(recipe, "ENV"), *_all(recipe, "ARG")]:
        named = [name for name in step.pairs if _SECRET.search(name)]
        yield from (f"line {step.line}: {name} would be in the image for everybody to read" for name in named)


def _says_how_it_runs(recipe: Recipe) -> Iterator[str]:
    for instruction in ("ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL"):
        if recipe.image.last(instruction) is None:
            yield f"the image has no {instruction}"
    entry = recipe.image.last("ENTRYPOINT")
    if entry is not None and not entry.is_list:
        yield f"line {entry.line}: ENTRYPOINT goes through a shell, which takes the signals"


def _says_what_it_is(recipe: Recipe) -> Iterator[str]:
    labels = {name for step in recipe.image.all("LABEL") for name in step.pairs}
    yield from (
        f"the image has no label org.opencontainers.image.{name}"
        for name in _LABELS
        if f"org.opencontainers.image.{name}" not in labels
    )


def _all(recipe: Recipe, instruction: str) -> Sequence[Step]:
    return [step for stage in recipe.stages for step in stage.all(instruction)]


def _commands(step: Step) -> Sequence[str]:
    return [command.strip() for command in re.split(r"&&|\|\||;|\|", step.value)]


RULES: Sequence[Callable[[Recipe], Iterator[str]]] = (
    _ends_as_nobody,
    _installs_what_is_locked,
    _has_no_tools,
    _names_its_base,
    _names_no_host,
    _keeps_no_secret,
    _says_how_it_runs,
    _says_what_it_is,
)


def leftovers(root: Path) -> list[str]:
    """What builds or installs, and was left in the finished image: programs, and packages of Python."""
    programs = (path for folder in _PROGRAMS for path in _entries(root / folder) if _TOOLS.match(path.name))
    packages = (
        Path(folder, name)
        for top in ("usr/lib", "usr/local/lib", "opt")
        for folder, names, _ in os.walk(root / top)
        for name in names
        if _LIBRARIES.match(name) and Path(folder).name in ("site-packages", "dist-packages", "python3.11")
    )
    return sorted({str(path.relative_to(root)) for path in (*programs, *packages)})


def _entries(folder: Path) -> Sequence[Path]:
    return list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []
