"""Where files may stand: the folders at the top, the rooms of a service, and what is built and never committed."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.architecture.sources import PACKAGES, SERVICES, room_named

TOP = frozenset(
    {
        *PACKAGES,
        *("tests", "docs", ".ci"),
        *("Makefile", "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
        *("requirements.lock", "requirements-build.lock", "requirements-local.lock", "requirements-dev.lock"),
        *(".gitignore", ".gitattributes", ".dockerignore", ".editorconfig", ".env.example", ".python-version"),
    }
)
ROOMS = frozenset(
    {
        *("__init__", "__main__", "settings"),
        *("domain", "ports", "commands", "event_handlers", "calls", "jobs", "queries", "tables", "repository"),
        *("wire", "servicer", "adapters", "migrations"),
    }
)
FURTHER_ROOMS = {
    "order_service": frozenset({"assembly", "feed", "metrics"}),
    "payment_service": frozenset({"assembly", "simulator"}),
    "supplier_service": frozenset({"assembly", "simulator"}),
}
KINDS_OF_TESTS = frozenset({"unit", "services", "end_to_end", "architecture", "bench", "load", "chaos", "manifests"})
BUILT = re.compile(r"(_pb2(_grpc)?\.pyi?|\.pyc|\.binpb|\.egg-info/.*)$|^(build|dist|\.venv|\.local)/")
EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|base|impl)($|_|\.)")
KUSTOMIZE_BASE = "deploy/kubernetes/base/"
"""What overlays are laid over; Kustomize has no other word for it."""


def misplaced(path: str) -> str | None:
    """A sentence about a file that has no place here."""
    parts = PurePosixPath(path).parts
    if BUILT.search(path):
        return f"{path} is built, not committed"
    if parts[0] not in TOP:
        return f"{path}: the floor plan has no {parts[0]}"
    if parts[0] == "tests" and len(parts) > 2 and parts[1] not in KINDS_OF_TESTS:
        return f"{path}: there is no kind of tests named {parts[1]}"
    if any(EMPTY_NAMES.search(part.lower()) for part in parts) and not path.startswith(KUSTOMIZE_BASE):
        return f"{path}: its name says nothing of what it is for"
    return unknown_room(path)


def unknown_room(path: str) -> str | None:
    parts = PurePosixPath(path).with_suffix("").parts
    room = room_named(parts) if parts[0] in SERVICES else None
    if room is None or room.name in ROOMS | FURTHER_ROOMS.get(room.service, frozenset()):
        return None
    return f"{path}: a service has no room named {room.name}"


def all_misplaced(paths: Iterator[str]) -> Iterator[str]:
    return (sentence for path in paths if (sentence := misplaced(path)))
