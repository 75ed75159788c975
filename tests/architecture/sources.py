"""The project's Python files as the rules look at them: where they stand, what they import, what they say."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parents[2]
SERVICES = ("order_service", "inventory_service", "supplier_service", "payment_service")
PACKAGES = ("chassis", *SERVICES, "gateway", "deploy", "protos")
FLATS = {"order_service": ("imports", "live", "privacy", "reports")}
"""Inner contexts: packages inside a service that have the same rooms as a service."""


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.parts[0]

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
        return f"{self.path}:{node.lineno}"


@dataclass(frozen=True)
class Room:
    """A room of a service; `flat` is empty for those of the service itself."""

    service: str
    flat: str
    name: str


def parsed(path: str, text: str) -> Source:
    return Source(PurePosixPath(path), text, ast.parse(text))


@cache
def sources(*packages: str) -> Sequence[Source]:
    """All Python files below these top-level folders."""
    files = (file for package in packages for file in sorted((PROJECT / package).rglob("*.py")))
    return [parsed(file.relative_to(PROJECT).as_posix(), file.read_text()) for file in files]


def imports(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Every name imported, whole: `from chassis import ids` is `chassis.ids`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = imported_module(source, node)
            yield from ((node, f"{module}.{alias.name}") for alias in node.names)


def imported_module(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    around = source.path.parent.parts[: len(source.path.parent.parts) - node.level + 1]
    return ".".join((*around, *([node.module] if node.module else [])))


def room_of(source: Source) -> Room | None:
    return room_named(source.path.with_suffix("").parts)


def room_named(parts: Sequence[str]) -> Room | None:
    """The room in which a file or an imported name lives; None outside of the services."""
    if not parts or parts[0] not in SERVICES:
        return None
    service, *rest = parts
    flat = rest.pop(0) if rest and rest[0] in FLATS.get(service, ()) else ""
    return Room(service, flat, rest[0] if rest else "__init__")
