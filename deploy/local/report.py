"""`status`: what of the stack runs, and whether it answers."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from deploy.local.access import LocalIssuer
from deploy.local.answers import grpc_answers, http_answers
from deploy.local.infrastructure import embedded_parts
from deploy.local.issuer import NAME as ISSUER
from deploy.local.passwords import passwords_of
from deploy.local.place import Place
from deploy.local.provided import provided_by
from deploy.local.services import GATEWAY, processes, scheme_in
from deploy.local.sole_owner import SoleOwner


@dataclass(frozen=True)
class Row:
    """One part of the stack, as `status` shows it."""

    name: str
    address: str
    answers: Callable[[], bool]
    is_ours: bool = True


def status(place: Place) -> int:
    """0 when every part answers."""
    owner = SoleOwner(place.state).holder() if place.state.exists() else None
    if owner is None:
        print(f"nothing runs on {place.state}")
        return 1
    print(f"the stack on {place.state} (PORT_OFFSET={place.port_offset}, process {owner})")
    pids = json.loads(place.pids.read_text()) if place.pids.exists() else {}
    rows = [*rows_of(place), *further_rows(place), *issuer_rows(place, pids)]
    silent = [row.name for row in rows if not show(row, pids.get(row.name))]
    return 1 if silent else 0


def show(row: Row, pid: int | None) -> bool:
    answers = row.answers()
    process = "provided" if not row.is_ours else f"pid {pid}" if pid else "down"
    print(f"  {row.name:<26} {process:<12} {'answers' if answers else 'silent':<9} {row.address}")
    return answers


def further_rows(place: Place) -> Iterator[Row]:
    """Second and further instances, each asked at a port that is its own: gateways at that of their figures."""
    known = json.loads(place.further_instances.read_text()) if place.further_instances.exists() else {}
    for name, (address, metrics) in known.items():
        if name.startswith(GATEWAY.name):
            url = f"{scheme_in(os.environ)}://127.0.0.1:{metrics}/metrics"
            yield Row(name, address, partial(http_answers, url, os.environ))
        else:
            yield Row(name, address, partial(grpc_answers, address, os.environ))


def issuer_rows(place: Place, pids: Mapping[str, int]) -> Iterator[Row]:
    """The development issuer, where this stack was started with one."""
    if ISSUER in pids:
        yield Row(ISSUER, place.address(ISSUER), LocalIssuer(place).answers)


def rows_of(place: Place) -> Iterator[Row]:
    provided = provided_by(os.environ)
    for part in embedded_parts(place, passwords_of(place.state), say=print):
        given = provided.get(part.name)
        if given is None:
            yield Row(part.name, place.address(part.name), part.answers)
        else:
            yield Row(part.name, str(given), given.answers, is_ours=False)
    for service in processes(place.has_simulators):
        yield Row(service.name, place.address(service.face), service.answering_at(place))
