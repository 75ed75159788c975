"""A small context for the chassis' tests: sums per key, told of by payments and refunds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from chassis import clock
from chassis.consumer import Handler, Ignore, TooEarly
from chassis.database import DatabaseAway, LostUpdate, rows_of, run_sql
from chassis.envelope import Outgoing, Received, seal
from protos.payments.events.v1.events_pb2 import PaymentCaptured, PaymentClosed, PaymentVoided

SCHEMA = "CREATE TABLE sums (key text PRIMARY KEY, amount bigint NOT NULL, steps text NOT NULL, version int NOT NULL)"


@dataclass
class Sum:
    key: str
    amount: int = 0
    steps: str = ""
    version: int = 0
    is_changed: bool = False

    def add(self, amount: int, step: str) -> None:
        self.amount += amount
        self.steps += step
        self.is_changed = True


@dataclass
class Sums:
    """The room: loads with locks, writes with compare-and-set."""

    loses: int = 0
    away_after: int | None = None
    """After so many batches the database is away, once."""
    is_away: bool = False
    committed_batches: list[int] = field(default_factory=list)

    def load(self, connection: Connection, keys: Sequence[str]) -> dict[str, Sum]:
        if self.is_away:
            self.is_away = False
            raise DatabaseAway("planted")
        sums = {key: Sum(key) for key in keys}
        sql = "SELECT * FROM sums WHERE key = ANY(CAST(:keys AS text[])) ORDER BY key FOR UPDATE"
        for row in rows_of(connection, sql, keys=list(keys)):
            sums[row.key] = Sum(row.key, row.amount, row.steps, row.version)
        return sums

    def save(self, connection: Connection, loaded: dict[str, Sum]) -> None:
        if self.loses:
            self.loses -= 1
            raise LostUpdate("planted")
        for changed in (each for each in loaded.values() if each.is_changed):
            run_sql(
                connection,
                "INSERT INTO sums VALUES (:key, :amount, :steps, 1) ON CONFLICT (key) DO UPDATE SET"
                " amount = excluded.amount, steps = excluded.steps, version = sums.version + 1",
                key=changed.key, amount=changed.amount, steps=changed.steps,
            )  # fmt: skip

    def committed(self, loaded: dict[str, Sum]) -> None:
        self.committed_batches.append(len(loaded))
        if self.away_after is not None and len(self.committed_batches) >= self.away_after:
            self.away_after = None
            self.is_away = True


def _on_captured(sums: dict[str, Sum], received: Received[PaymentCaptured]) -> None:
    fact = received.message
    if fact.amount_minor < 0:
        raise ZeroDivisionError("poison")
    sums[fact.order_id].add(fact.amount_minor, "c")


def _on_voided(sums: dict[str, Sum], received: Received[PaymentVoided]) -> None:
    found = sums[received.message.order_id]
    if "c" not in found.steps:
        raise TooEarly("nothing was captured yet")
    found.add(-found.amount, "v")


def _on_closed(sums: dict[str, Sum], received: Received[PaymentClosed]) -> None:
    if sums[received.message.order_id].steps:
        raise Ignore


HANDLERS: dict[type[Any], Handler[Any]] = {
    PaymentCaptured: Handler(keys=lambda fact: [fact.order_id], apply=_on_captured),
    PaymentVoided: Handler(keys=lambda fact: [fact.order_id], apply=_on_voided),
    PaymentClosed: Handler(keys=lambda fact: [fact.order_id], apply=_on_closed),
}


def captured(topic: str, key: str, amount: int) -> Outgoing:
    fact = PaymentCaptured(order_id=key, amount_minor=amount, currency="GBP", started_at=clock.now())
    return Outgoing(topic, key, fact, traceparent=f"00-{'a' * 32}-{'b' * 16}-00")


def voided(topic: str, key: str) -> Outgoing:
    return Outgoing(topic, key, PaymentVoided(order_id=key))


def sealed(outgoing: Outgoing) -> bytes:
    return seal(outgoing, "payments", clock.now())
