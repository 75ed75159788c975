"""Which package may use which, and which room of a service may use which: the floor plan as a table."""

import sys
from collections.abc import Iterator, Mapping

from tests.architecture.sources import PACKAGES, SERVICES, Room, Source, imports, room_named, room_of

MAY_USE_PACKAGES: Mapping[str, frozenset[str]] = {
    "chassis": frozenset({"protos"}),
    "gateway": frozenset({"chassis", "protos"}),
    "deploy": frozenset({"gateway", "chassis", "protos"}),
    "protos": frozenset(),
    **{service: frozenset({"chassis", "protos"}) for service in SERVICES},
}
CHASSIS_PROTOS = ("protos.cloudevents.", "protos.operations.", "protos.options.")
"""What belongs to no context."""

MAY_USE_ROOMS: Mapping[str, frozenset[str]] = {
    "domain": frozenset(),
    "settings": frozenset({"domain", "simulator"}),
    "ports": frozenset({"domain"}),
    "commands": frozenset({"domain", "ports", "queries", "repository", "tables", "wire"}),
    "event_handlers": frozenset({"domain", "repository", "wire"}),
    "calls": frozenset({"domain", "ports", "repository", "tables", "wire"}),
    "jobs": frozenset({"domain", "ports", "commands", "queries", "settings", "tables"}),
    "queries": frozenset({"domain", "tables"}),
    "feed": frozenset({"domain", "queries", "tables", "wire"}),
    "metrics": frozenset({"domain", "tables"}),
    "tables": frozenset({"domain"}),
    "repository": frozenset({"domain", "tables", "queries", "wire"}),
    "wire": frozenset({"domain", "ports", "queries", "tables"}),
    "servicer": frozenset({"domain", "ports", "commands", "queries", "wire", "feed", "metrics", "tables"}),
    "adapters": frozenset({"domain", "ports", "simulator"}),
    "simulator": frozenset(),
    "migrations": frozenset({"tables"}),
    "__init__": frozenset(),
}
PARENT_ROOMS = frozenset({"commands", "domain", "ports", "queries"})
"""What a flat may use of the service around it."""
WIRING = frozenset({"__main__", "assembly"})
"""Rooms that put the others together, and may know all of them."""
CHASSIS_FOR: Mapping[str, frozenset[str]] = {
    "domain": frozenset({"errors", "money"}),
    "ports": frozenset({"errors"}),
}
"""Rooms that may use only these modules of the chassis; the others may use all of it."""
SPEAK_PROTOBUF = frozenset({"wire", "servicer", "event_handlers", "adapters", "__main__"})
ONLY_STANDARD_LIBRARY = frozenset({"domain"})
HOMES: Mapping[str, frozenset[str]] = {
    "kafka": frozenset({"chassis", "deploy", "tests"}),
    "redis": frozenset({"chassis", "deploy", "tests"}),
    "psycopg": frozenset({"chassis", "deploy", "tests"}),
}
"""Libraries that only these packages may know."""


def forbidden_imports(source: Source) -> Iterator[str]:
    """A sentence for each import that goes against an arrow."""
    for node, name in imports(source):
        reason = package_reason(source, name) or library_reason(source, name) or room_reason(source, name)
        if reason:
            yield f"{source.at(node)} imports {name}: {reason}"


def package_reason(source: Source, name: str) -> str | None:
    top = name.partition(".")[0]
    if top == "tests" and source.package != "tests":
        return "nothing uses the tests"
    if source.package not in MAY_USE_PACKAGES or top not in PACKAGES or top == source.package:
        return None
    if top not in MAY_USE_PACKAGES[source.package]:
        return f"{source.package} may use {listed(MAY_USE_PACKAGES[source.package])}"
    if source.package == "chassis" and not name.startswith(CHASSIS_PROTOS):
        return "the chassis knows no context"
    return None


def library_reason(source: Source, name: str) -> str | None:
    homes = HOMES.get(name.partition(".")[0])
    if homes is None or source.package in homes:
        return None
    return f"only {listed(homes)} may know it"


def room_reason(source: Source, name: str) -> str | None:
    room = room_of(source)
    if room is None or room.name in WIRING:
        return None
    target = room_named(name.split("."))
    if target is not None and target.service == room.service:
        return neighbour_reason(room, target)
    return outside_reason(room, name)


def neighbour_reason(room: Room, target: Room) -> str | None:
    if target.flat and target.flat != room.flat:
        return f"{target.flat} is a flat: the service around it and other flats do without it"
    same_flat = target.flat == room.flat
    allowed = MAY_USE_ROOMS.get(room.name, frozenset()) | {room.name} if same_flat else PARENT_ROOMS
    return None if target.name in allowed else f"{room.name} may use {listed(allowed)}"


def outside_reason(room: Room, name: str) -> str | None:
    top, _, rest = name.partition(".")
    chassis = CHASSIS_FOR.get(room.name)
    if top == "chassis" and chassis is not None and rest.partition(".")[0] not in chassis:
        return f"of the chassis, {room.name} may use {listed(chassis)}"
    if top == "protos" and room.name not in SPEAK_PROTOBUF:
        return f"protobuf is spoken in {listed(SPEAK_PROTOBUF)}"
    if room.name in ONLY_STANDARD_LIBRARY and top not in {"chassis", *sys.stdlib_module_names}:
        return f"{room.name} uses the standard library alone"
    return None


def listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
