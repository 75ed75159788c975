"""Does the steps of a Dockerfile in roots of debootstrap: one for each stage, as a container engine has layers."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from time import monotonic

from deploy.images.context import Context
from deploy.images.recipe import Recipe, Stage, Step
from deploy.images.root import Root, StepFailed, copy_root


@dataclass
class Built:
    """What a stage has become: its root, and what its steps have set for those that follow."""

    root: Root
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0:0"


class Builder:
    """`bare` is what stands in for the image of Debian that the first FROM names; `caches` outlives the builds."""

    def __init__(self, recipe: Recipe, context: Context, bare: Path, folder: Path, caches: Path) -> None:
        self._recipe, self._context = recipe, context
        self._bare, self._folder, self._caches = bare, folder, caches
        self._built: dict[str, Built] = {}

    def build(self, say: Callable[[str], None]) -> Built:
        """Every stage, in its order; the last one. Raises StepFailed with the line of the step."""
        for number, stage in enumerate(self._recipe.stages):
            built = self._begun(stage, self._folder / f"{number}-{stage.name or 'stage'}")
            say(f"FROM {stage.base} AS {stage.name}")
            for step in stage.steps:
                self._timed(built, step, say)
            self._built[stage.name or str(number)] = built
        return built

    def _begun(self, stage: Stage, folder: Path) -> Built:
        below = self._built.get(stage.base)
        if below is None:
            return Built(copy_root(self._bare, folder))
        root = copy_root(below.root.folder, folder)
        return Built(root, dict(below.environment), below.directory, below.user)

    def _timed(self, built: Built, step: Step, say: Callable[[str], None]) -> None:
        begun = monotonic()
        try:
            self._do(built, step)
        except (StepFailed, OSError) as error:
            raise StepFailed(f"line {step.line}: {step.instruction} {step.value}\n{error}") from error
        if step.instruction in ("RUN", "COPY"):
            say(f"  line {step.line}: {step.instruction} {step.value[:70]} … {monotonic() - begun:.1f} s")

    def _do(self, built: Built, step: Step) -> None:
        match step.instruction:
            case "RUN":
                self._run(built, step)
            case "COPY":
                self._copy(built, step)
            case "ARG" | "ENV":
                built.environment |= step.pairs
            case "WORKDIR":
                built.directory = str(PurePosixPath(built.directory, step.value))
                _inside(built, built.directory).mkdir(parents=True, exist_ok=True)
            case "USER":
                built.user = step.value

    def _run(self, built: Built, step: Step) -> None:
        if built.user != "0:0":
            raise StepFailed("RUN after USER is not tried here: let root do it before")
        command = step.words if step.is_list else ["/bin/sh", "-c", step.value]
        built.root.build(command, built.environment, built.directory, self._mounts(step))

    def _mounts(self, step: Step) -> Mapping[str, str]:
        told = dict(pair.split("=", 1) for pair in filter(None, step.option("mount").split(",")))
        if told and told.get("type") != "cache":
            raise StepFailed(f"a mount of type {told.get('type')} is not understood")
        if not told:
            return {}
        cache = self._caches / told["target"].strip("/").replace("/", "-")
        cache.mkdir(parents=True, exist_ok=True)
        return {str(cache): told["target"]}

    def _copy(self, built: Built, step: Step) -> None:
        *sources, target = step.words
        place = _inside(built, str(PurePosixPath(built.directory, target)))
        for source in sources:
            if origin := step.option("from"):
                _copy_between(_inside(self._built[origin], source), place)
            elif (self._context.folder / source).is_dir():
                self._context.copy(source, place)
            else:
                self._context.copy(source, place / source if target.endswith("/") else place)


def _inside(built: Built, path: str) -> Path:
    return built.root.folder / path.lstrip("/")


def _copy_between(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, dirs_exist_ok=True, symlinks=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)
