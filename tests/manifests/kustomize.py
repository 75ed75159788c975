"""kustomize: found on the machine, or built once by Go into the cache of the user, and what it makes of our folders."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from deploy.local.jars import only_one
from deploy.local.place import cache_folder

VERSION: Final = "5.7.1"
SOURCE: Final = f"sigs.k8s.io/kustomize/kustomize/v5@v{VERSION}"
KUBERNETES: Final = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"

Document = dict[str, Any]


class NoKustomize(Exception):
    """There is none, and nothing to build it with."""


class DoesNotBuild(Exception):
    """What kustomize says against a folder."""


@cache
def program() -> Path:
    """kustomize of the version that the manifests are written for. Raises NoKustomize."""
    folder = cache_folder() / f"kustomize-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder / "lock"):
        built = folder / "kustomize"
        if not built.exists():
            _build(folder)
    return built


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise NoKustomize(f"kustomize {VERSION} is not in {folder}, and there is no Go that could build it")
    built = subprocess.run(
        [go, "install", SOURCE], env={**os.environ, "GOBIN": str(folder)}, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise NoKustomize(f"Go could not build kustomize {VERSION}: {built.stderr.strip()[-500:]}")


def build(folder: Path) -> list[Document]:
    """The resources of a folder. Raises DoesNotBuild."""
    done = subprocess.run([program(), "build", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DoesNotBuild(done.stderr.strip())
    return documents(done.stdout)


def build_with(folder: Path, components: Sequence[Path]) -> list[Document]:
    """The same with components that a folder does not have by itself. Raises DoesNotBuild."""
    with TemporaryDirectory() as name:
        here = Path(name).resolve()
        told = {
            "resources": [os.path.relpath(folder, here)],
            "components": [os.path.relpath(component, here) for component in components],
        }
        (here / "kustomization.yaml").write_text(json.dumps(told))
        return build(here)


def documents(text: str) -> list[Document]:
    """The documents of a stream of YAML, without empty ones."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def folders() -> Sequence[Path]:
    """Everything that somebody applies: each overlay, and what goes before it."""
    overlays = sorted(path for path in (KUBERNETES / "overlays").iterdir() if path.is_dir())
    return [folder for overlay in overlays for folder in (overlay / "stores", overlay / "before", overlay)]
