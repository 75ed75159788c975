"""How many of each service run, and which of its roles run apart: what INSTANCES and `scale` say, read and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.local.refusals import CannotStart
from deploy.local.services import BACKENDS, GATEWAY, SERVICES, Service

Counts = Mapping[str, int]
"""By name: `order_service` for all of its roles that have no name of their own here, `order_service:worker` for one."""

ROLES: Final = ("api", "worker", "relay", "jobs")
APART: Final = ROLES[1:]
"""Roles that may run in processes of their own; who calls a service finds its api with the service itself."""
MOST: Final = 20
NAMES: Final = tuple(service.name for service in SERVICES)


@dataclass(frozen=True)
class Instance:
    """One process of a service: of `role` alone, or of all roles that no process has for itself."""

    service: Service
    role: str = ""
    number: int = 1

    @property
    def kind(self) -> str:
        """What INSTANCES calls it and its like."""
        return f"{self.service.name}:{self.role}" if self.role else self.service.name

    @property
    def name(self) -> str:
        return self.kind if self.number == 1 else f"{self.kind}.{self.number}"

    @property
    def is_first(self) -> bool:
        """The one at the ports that everybody knows."""
        return self.name == self.service.name

    @property
    def is_called(self) -> bool:
        """Whether other services ask it, rather than nobody."""
        return self.service in BACKENDS and not self.role


def counts_in(text: str, told_by: str = "INSTANCES") -> Counts:
    """What `order_service=2,gateway=2` says. Raises CannotStart with a sentence that names who said what is wrong."""
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (word.strip() for word in part.partition("="))
        _require_name(name, part, told_by)
        if name in counts:
            raise CannotStart(f"{told_by} says twice how many of {name} there are to be.")
        counts[name] = _number(name, number, told_by)
    return counts


def _require_name(name: str, part: str, told_by: str) -> None:
    if "=" not in part:
        raise CannotStart(f"{told_by}: {part!r} is not NAME=NUMBER, as in order_service=2 or order_service:worker=2.")
    service, colon, role = name.partition(":")
    if service not in NAMES:
        raise CannotStart(f"{told_by} names {service!r}: there is no such service; there are {', '.join(NAMES)}.")
    if colon and service == GATEWAY.name:
        raise CannotStart(f"{told_by} names {name!r}: the gateway has no roles; gateway=2 makes two of it.")
    if role == "api":
        raise CannotStart(f"{told_by} names {name!r}: the api stays with {service}; {service}=2 makes two of it.")
    if colon and role not in APART:
        raise CannotStart(f"{told_by} names {name!r}: what can run apart is {', '.join(APART)}.")


def _number(name: str, number: str, told_by: str) -> int:
    least = 0 if ":" in name else 1
    if not number.isdecimal() or not least <= int(number) <= MOST:
        raise CannotStart(f"{told_by} says {name}={number}: it must be a whole number from {least} to {MOST}.")
    return int(number)


def instances(services: Sequence[Service], counts: Counts) -> list[Instance]:
    """The processes of a system, each kind in its order."""
    return [
        Instance(service, role, number)
        for service in services
        for role in ("", *APART)
        for number in range(1, _count_of(service, role, counts) + 1)
    ]


def _count_of(service: Service, role: str, counts: Counts) -> int:
    return counts.get(f"{service.name}:{role}", 0) if role else counts.get(service.name, 1)


def roles_of(instance: Instance, counts: Counts) -> str:
    """What ROLES says to it: its own role, or those that nobody has for himself; nothing where it has all."""
    apart = [role for role in APART if counts.get(f"{instance.service.name}:{role}", 0)]
    return instance.role or ",".join(role for role in ROLES if apart and role not in apart)
