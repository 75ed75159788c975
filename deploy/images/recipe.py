"""A Dockerfile as its stages and their steps, with the arguments and variables put in."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

from dockerfile_parse import DockerfileParser

DOCKERFILE = Path(__file__).with_name("Dockerfile")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s+")
_EXPANDED = frozenset({"COPY", "ENV", "EXPOSE", "FROM", "LABEL", "STOPSIGNAL", "USER", "WORKDIR"})
_KNOWN = _EXPANDED | {"ARG", "CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN"}
"""ADD, SHELL, VOLUME and ONBUILD are left out on purpose: nothing here needs them, and each hides something."""


class UnreadableRecipe(Exception):
    """The Dockerfile says something that is not understood here; the text is for whoever wrote it."""


@dataclass(frozen=True)
class Step:
    """One instruction: its options (`--from=build`), what stands behind them, and the line where it begins."""

    instruction: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    line: int = 0

    def option(self, name: str) -> str:
        return next((value for known, value in self.options if known == name), "")

    @property
    def words(self) -> Sequence[str]:
        """A list as JSON writes it, or words as a shell reads them. Raises UnreadableRecipe."""
        try:
            return [str(word) for word in json.loads(self.value)] if self.is_list else shlex.split(self.value)
        except ValueError as error:
            raise UnreadableRecipe(f"line {self.line}: {self.instruction} {self.value}: {error}") from error

    @property
    def is_list(self) -> bool:
        """Whether it goes past the shell."""
        return self.value.startswith("[")

    @property
    def pairs(self) -> Mapping[str, str]:
        """What ENV, LABEL and ARG say, by name."""
        return {name: value for word in self.words for name, _, value in [word.partition("=")]}


@dataclass
class Stage:
    """What begins with FROM: its name, what it stands on, and its steps in their order."""

    name: str
    base: str
    steps: list[Step] = field(default_factory=list)

    def all(self, instruction: str) -> Sequence[Step]:
        return [step for step in self.steps if step.instruction == instruction]

    def last(self, instruction: str) -> Step | None:
        """The one that counts, of those of which only the last does."""
        return next(iter(reversed(self.all(instruction))), None)


@dataclass(frozen=True)
class Recipe:
    """All stages; the last one is the image."""

    stages: Sequence[Stage]

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def image(self) -> Stage:
        return self.stages[-1]

    def ancestry(self, stage: Stage) -> Sequence[Stage]:
        """The stages that it stands on, the lowest first, and itself."""
        below = self.stage(stage.base)
        return [*(self.ancestry(below) if below else ()), stage]


def read_recipe(text: str, arguments: Mapping[str, str] | None = None) -> Recipe:
    """The Dockerfile with its ARGs put in; `arguments` are those of the build. Raises UnreadableRecipe."""
    stages: list[Stage] = []
    # What is known before the first FROM is known to every FROM, and in no stage; a stage knows what its base does.
    scopes: dict[str, dict[str, str]] = {"": {}}
    scope = scopes[""]
    for step in _steps(text):
        step = _expanded(step, scopes[""] if step.instruction == "FROM" else scope)
        if step.instruction == "FROM":
            stages.append(_stage(step))
            scope = scopes[stages[-1].name or "-"] = dict(scopes.get(stages[-1].base, {}))
            continue
        if step.instruction in ("ARG", "ENV"):
            scope |= _told(step, arguments or {})
        if stages:
            stages[-1].steps.append(step)
        elif step.instruction != "ARG":
            raise UnreadableRecipe(f"line {step.line}: {step.instruction} stands before FROM")
    if not stages:
        raise UnreadableRecipe("there is no FROM")
    return Recipe(stages)


def _steps(text: str) -> Iterator[Step]:
    # Given a stream, the parser touches no file of its own.
    for told in DockerfileParser(fileobj=StringIO(text)).structure:
        if told["instruction"] == "COMMENT":
            continue
        line = told["startline"] + 1
        if told["instruction"] not in _KNOWN:
            raise UnreadableRecipe(f"line {line}: {told['instruction']} is not understood")
        value, options = _without_options(told["value"])
        yield Step(told["instruction"], value, options, line)


def _without_options(value: str) -> tuple[str, Sequence[tuple[str, str]]]:
    options = []
    while match := _OPTION.match(value):
        options.append((match[1], match[2]))
        value = value[match.end() :]
    return value.strip(), options


def _expanded(step: Step, known: Mapping[str, str]) -> Step:
    """The shell puts in what it knows itself, where there is one."""
    if step.instruction not in _EXPANDED:
        return step

    def put_in(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in known:
            raise UnreadableRecipe(f"line {step.line}: nothing is known of ${name} here")
        return known[name]

    return replace(step, value=_VARIABLE.sub(put_in, step.value))


def _told(step: Step, arguments: Mapping[str, str]) -> Mapping[str, str]:
    pairs = step.pairs
    return {name: arguments.get(name, told) for name, told in pairs.items()} if step.instruction == "ARG" else pairs


def _stage(step: Step) -> Stage:
    words = step.words
    if len(words) == 3 and words[1].upper() == "AS":
        return Stage(words[2], words[0])
    if len(words) == 1:
        return Stage("", words[0])
    raise UnreadableRecipe(f"line {step.line}: FROM {step.value} is not understood")
