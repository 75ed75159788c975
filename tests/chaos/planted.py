"""Bugs to be found: `python -m tests.chaos.planted BUG SERVICE` runs a service with one fault in our own code.

They live here and not behind a switch of the services, so that nobody can switch one on where orders are real.
"""

import runpy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from kafka import TopicPartition
from sqlalchemy import Connection

import chassis.database
from chassis import ids, inbox, outbox
from chassis.consumer import Consumer
from chassis.consumer.fetcher import Fetched
from chassis.consumer.member import Member, _committable
from chassis.database import Row, run_sql
from inventory_service.domain import Reservation, ReservationStatus, Stockroom
from inventory_service.repository import stockrooms
from order_service.domain import FailureCode, Order
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


def check_then_act() -> None:
    """Stock is looked at and not locked: what is written is reckoned from what was there a moment ago."""
    unlocked = stockrooms._LOCK_SHELVES.replace("FOR UPDATE OF stock", "")
    replace(stockrooms, "_LOCK_SHELVES", unlocked)


def release_twice() -> None:
    """What is held is given back each time it is asked for, whether or not it is still held."""
    release = Stockroom.release

    def release_again(self: Stockroom, reservation: Reservation) -> None:
        if reservation.status is ReservationStatus.RELEASED and reservation.lines:
            reservation.status = ReservationStatus.HELD
        release(self, reservation)

    replace(Stockroom, "release", release_again)


def offsets_first() -> None:
    """The group is told that a batch is applied before it is: who dies in between has lost it."""
    apply = Consumer._apply

    def commit_and_apply(self: Consumer[Any], member: Member, fetched: Sequence[Fetched]) -> None:
        ends = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in fetched}
        member._kafka.commit(_committable(ends))
        apply(self, member, fetched)

    replace(Consumer, "_apply", commit_and_apply)


def lost_update() -> None:
    """A compare-and-set that misses is taken for one that hit."""

    def change_some(connection: Connection, sql: str, wanted: int, what: str, **parameters: object) -> None:
        run_sql(connection, sql, **parameters)

    for module in list(sys.modules.values()):
        if getattr(module, "change_all", None) is chassis.database.change_all and module is not chassis.database:
            replace(module, "change_all", change_some)
    replace(chassis.database, "change_all", change_some)


def oldest_first() -> None:
    """Goods go to whoever has waited longest, whoever they were ordered for."""
    deliver = Stockroom.deliver

    def deliver_to_the_oldest(self: Stockroom, supplier_order_id: str, order_id: str, sku: str, quantity: int) -> bool:
        waiting = sorted(
            id_
            for id_, each in self.reservations.items()
            if each.status is ReservationStatus.WAITING and sku in each.missing
        )
        return deliver(self, supplier_order_id, waiting[0] if waiting else order_id, sku, quantity)

    replace(Stockroom, "deliver", deliver_to_the_oldest)


def looking_expiry() -> None:
    """An order whose time is over looks whether its payment has started, and does not ask to close the door."""

    def expire_at_once(self: Order) -> None:
        self.compensate(FailureCode.RESERVATION_EXPIRED, "Its time was over, and no payment had started.")

    replace(Order, "ask_to_expire", expire_at_once)


BUGS: Final[Mapping[str, Callable[[], None]]] = {
    bug.__name__: bug
    for bug in (
        no_inbox, cursor, charge_without_key, check_then_act, release_twice, offsets_first, lost_update, oldest_first,
        looking_expiry,
    )
}  # fmt: skip


def main(bug: str, service: str) -> None:
    """Plants the bug, and becomes the service."""
    BUGS[bug]()
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
