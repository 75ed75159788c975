"""Every failpoint there is, read from the code, so that none is forgotten; run, it prints them with their paths."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.chaos.paths import paths_of

PROJECT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final[Mapping[str, str]] = {
    "order_service": "orders",
    "inventory_service": "inventory",
    "payment_service": "payments",
    "supplier_service": "suppliers",
}
"""By package, its context."""
CONSUMERS: Final[Mapping[str, tuple[str, ...]]] = {"order_service": ("orders", "orders.prices")}
"""The consumer groups of a service; as a rule one, of the context's name."""
CALLERS: Final = ("payment_service", "supplier_service")
"""Those who call somebody outside."""

_ANY_CALL: Final = re.compile(r"(?<!def )\bfailpoint\(")
_CALL: Final = re.compile(r"\bfailpoint\((f?)\"([^\"]+)\"\)")
_PLACEHOLDER: Final = re.compile(r"\{[^}]+\}")


def failpoints_of(service: str) -> list[str]:
    """The names of all failpoints that a process of this service passes."""
    return sorted({*_own(service), *_shared(service)})


def consumers_of(service: str) -> tuple[str, ...]:
    """The consumer groups that its process is a member of."""
    return CONSUMERS.get(service, (SERVICES[service],))


def _own(service: str) -> Iterator[str]:
    for is_made_up, name in _written(PROJECT / service):
        if is_made_up:
            raise LookupError(f"{service}: a service writes its failpoints out, and not {name}")
        yield name


def _shared(service: str) -> Iterator[str]:
    for is_made_up, name in _written(PROJECT / "chassis"):
        if not is_made_up:
            raise LookupError(f"chassis: a failpoint of all services names the service, and {name} does not")
        for word in _words(service, _PLACEHOLDER.findall(name)):
            yield _PLACEHOLDER.sub(word, name)


def _words(service: str, placeholders: Iterable[str]) -> Iterable[str]:
    """What stands for a placeholder. Raises LookupError for one that nobody here knows."""
    context = SERVICES[service]
    consumers = consumers_of(service)
    match list(placeholders):
        case ["{self._context}"]:
            return [context]
        case ["{self._group}"]:
            return consumers
        case ["{self._failpoint}"]:
            return [f"{context}.{consumer}" for consumer in consumers]
        case ["{self._name}"]:
            return [f"{context}.calls"] if service in CALLERS else []
        case unknown:
            raise LookupError(f"what stands for {unknown} in a failpoint's name is not known here")


def _written(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        found = _CALL.findall(text)
        if len(found) < len(_ANY_CALL.findall(text)):
            raise LookupError(f"{path.name}: a failpoint's name is written where it is passed")
        yield from found


def main() -> None:
    """A line for each: failpoint, service, the paths that lead over it."""
    for service in SERVICES:
        for point in failpoints_of(service):
            print(f"{point:45} {service:18} {', '.join(path.__name__ for path in paths_of(point)) or 'no path'}")


if __name__ == "__main__":
    main()
