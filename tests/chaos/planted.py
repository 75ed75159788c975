"""Bugs to be found: `python -m tests.chaos.planted BUG SERVICE` runs a service with one fault in our own code.

They live here and not behind a switch of the services, so that nobody can switch one on where orders are real.
"""

import runpy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from chassis import ids, inbox, outbox
from chassis.database import Row
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.ports import ChargeRequest


def replace(owner: object, name: str, by: object) -> None:
    """Raises AttributeError when there is nothing of that name any more: then the bug must be planted anew."""
    getattr(owner, name)
    setattr(owner, name, by)


def no_inbox() -> None:
    """Every event is new, however often it comes."""
    claim = inbox.claim

    def claim_all(
        connection: Connection, consumer: str, events: Sequence[tuple[date, str]], keys: Iterable[tuple[str, str]]
    ) -> tuple[set[str], set[tuple[str, str]]]:
        _, parked = claim(connection, consumer, [], keys)
        return {id_ for _, id_ in events}, parked

    replace(inbox, "claim", claim_all)


def charge_without_key() -> None:
    """Each attempt to charge is a charge of its own to the provider."""
    charge = SimulatedProvider.charge

    async def charge_anew(self: SimulatedProvider, request: ChargeRequest) -> Any:
        return await charge(self, request._replace(key=ids.new_id()))

    replace(SimulatedProvider, "charge", charge_anew)


def cursor() -> None:
    """The relay goes by the last id that it sent: what commits late under a smaller one is skipped."""
    claim = outbox.Relay._claim
    sent: dict[int, int] = {}

    def claim_after_the_last(self: outbox.Relay, connection: Connection) -> list[Row] | None:
        rows = claim(self, connection)
        fresh = [row for row in rows or [] if row.id > sent.get(id(self), 0)]
        if fresh:
            sent[id(self)] = max(row.id for row in fresh)
        return None if rows is None else fresh

    replace(outbox.Relay, "_claim", claim_after_the_last)


BUGS: Final[Mapping[str, Callable[[], None]]] = {bug.__name__: bug for bug in (no_inbox, charge_without_key, cursor)}


def main(bug: str, service: str) -> None:
    """Plants the bug, and becomes the service."""
    BUGS[bug]()
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
