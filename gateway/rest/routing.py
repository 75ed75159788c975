"""Finds what answers a path: literal segments before variables."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

E = TypeVar("E")


@dataclass
class _Node(Generic[E]):
    literals: dict[str, "_Node[E]"] = field(default_factory=dict)
    variable: "_Node[E] | None" = None
    names: tuple[str, ...] = ()
    template: str = ""
    endpoints: dict[str, E] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match(Generic[E]):
    """What answers a path, by verb, the path as it was added, and the values of its variables."""

    template: str
    endpoints: dict[str, E]
    variables: dict[str, str]

    @property
    def allow(self) -> str:
        """The verbs that the path answers to, for `Allow`."""
        heads = {"HEAD"} if "GET" in self.endpoints else set()
        return ", ".join(sorted({*self.endpoints, *heads, "OPTIONS"}))


class Router(Generic[E]):
    """Paths without variables are one look into a dictionary, the others a walk along their segments."""

    def __init__(self) -> None:
        self._literal: dict[str, Match[E]] = {}
        self._root: _Node[E] = _Node()

    def add(self, verb: str, path: str, endpoint: E) -> None:
        """`path` may have `{variable}` segments; two endpoints for one verb and path are a mistake (ValueError)."""
        endpoints = self._endpoints(path)
        if verb in endpoints:
            raise ValueError(f"{verb} {path} is answered twice")
        endpoints[verb] = endpoint

    def match(self, raw_path: str) -> Match[E] | None:
        """`raw_path` is still percent-encoded, so that a variable may contain a slash; what is no text is no path."""
        if (literal := self._literal.get(raw_path)) is not None:
            return literal
        values: list[str] = []
        try:
            node = self._walk(self._root, raw_path.split("/")[1:], values)
        except UnicodeDecodeError:
            return None
        return Match(node.template, node.endpoints, dict(zip(node.names, values, strict=True))) if node else None

    def _endpoints(self, path: str) -> dict[str, E]:
        if "{" not in path:
            return self._literal.setdefault(path, Match(path, {}, {})).endpoints
        node = self._root
        names: list[str] = []
        for segment in path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.names, node.template = tuple(names), path
        return node.endpoints

    def _walk(self, node: _Node[E], segments: list[str], values: list[str]) -> _Node[E] | None:
        """Fills `values` with the variables on the way; None where no path ends."""
        if not segments:
            return node if node.endpoints else None
        segment, *rest = segments
        literal = node.literals.get(segment)
        if literal is not None and (found := self._walk(literal, rest, values)):
            return found
        if node.variable is None or not segment:
            return None
        values.append(unquote(segment, errors="strict"))
        found = self._walk(node.variable, rest, values)
        if found is None:
            values.pop()
        return found
