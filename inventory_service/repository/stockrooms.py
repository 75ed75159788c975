"""Stockrooms from and to the tables: rows locked in one order everywhere, written back in one statement for each table.

Rule (stock): stock rows by SKU, then reservation rows by order id; what was read before a lock is read again after it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chassis import clock
from chassis.database import LostUpdate, Row, rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.metrics import counter
from chassis.outbox import tell
from inventory_service import wire
from inventory_service.domain import (
    CONTEXT,
    Holder,
    Reservation,
    ReservationStatus,
    Shelf,
    Shortage,
    Stockroom,
)

# What a fact touches comes as one list of keys; their first letter tells what they name.
DELIVERY: Final = "d"
ENDING: Final = "e"
ORDER: Final = "o"
SKU: Final = "s"

_LOCK_SHELVES: Final = """
SELECT stock.sku, on_hand, reserved, CASE supply WHEN 'SUPPLIER' THEN supplier ELSE '' END AS supplier,
       COALESCE(supplier_scenario, '') AS supplier_scenario
FROM stock JOIN products ON products.sku = stock.sku
WHERE stock.sku IN (
    SELECT unnest(CAST(:skus AS text[]))
    UNION
    SELECT jsonb_object_keys(lines) FROM reservations WHERE id = ANY(CAST(:ids AS uuid[]))
)
ORDER BY stock.sku FOR UPDATE OF stock
"""
_WHO_WAITS: Final = "SELECT DISTINCT reservation_id FROM waiting WHERE sku = ANY(CAST(:skus AS text[]))"
_LOCK_RESERVATIONS: Final = """
SELECT id, holder, status, lines, expires_at, shortages, traceparent
FROM reservations WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
"""
_WHAT_IS_MISSING: Final = """
SELECT reservation_id, sku, missing FROM waiting WHERE reservation_id = ANY(CAST(:ids AS uuid[]))
"""
_WHAT_WAS_DELIVERED: Final = """
SELECT cause_id FROM movements WHERE cause_id = ANY(CAST(:ids AS uuid[])) AND kind IN ('receipt', 'restock')
"""
# One statement for four tables: a round trip costs more than what most of them change. Every part sees the rows as
# they were before it, and no two parts change the same one.
_WRITE: Final = """
WITH shelves AS (
    UPDATE stock SET on_hand = new.on_hand, reserved = new.reserved
    FROM unnest(CAST(:shelf_skus AS text[]), CAST(:on_hand AS bigint[]), CAST(:reserved AS bigint[]))
        AS new (sku, on_hand, reserved)
    WHERE stock.sku = new.sku
), made AS (
    INSERT INTO reservations (id, holder, status, lines, expires_at, sweep_at, shortages, traceparent)
    SELECT id, holder, status, lines, expires_at,
           CASE WHEN holder = 'rpc' AND status = 'HELD' THEN expires_at END, shortages, traceparent
    FROM unnest(CAST(:new_ids AS uuid[]), CAST(:holders AS text[]), CAST(:new_statuses AS text[]),
                CAST(:lines AS jsonb[]), CAST(:new_expiries AS timestamptz[]), CAST(:shortages AS jsonb[]),
                CAST(:traceparents AS text[]))
        AS new (id, holder, status, lines, expires_at, shortages, traceparent)
    ORDER BY id ON CONFLICT DO NOTHING RETURNING 1
), changed AS (
    UPDATE reservations SET status = new.status, expires_at = new.expires_at, sweep_at = NULL
    FROM unnest(CAST(:changed_ids AS uuid[]), CAST(:statuses AS text[]), CAST(:expiries AS timestamptz[]))
        AS new (id, status, expires_at)
    WHERE reservations.id = new.id
), moved AS (
    INSERT INTO movements (sku, kind, on_hand_delta, reserved_delta, cause_id, order_id, reason)
    SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:kinds AS text[]), CAST(:on_hand_deltas AS bigint[]),
                         CAST(:reserved_deltas AS bigint[]), CAST(:causes AS uuid[]), CAST(:orders AS uuid[]),
                         CAST(:reasons AS text[]))
)
SELECT count(*) AS made FROM made
"""
_FORGET_WAITING: Final = "DELETE FROM waiting WHERE reservation_id = ANY(CAST(:ids AS uuid[]))"
_INSERT_WAITING: Final = """
INSERT INTO waiting (reservation_id, sku, missing)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:missing AS bigint[]))
"""
_STATUSES: Final = {status.value: status for status in ReservationStatus}
_HOLDERS: Final = {holder.value: holder for holder in Holder}


class Stockrooms:
    """Opens the stockroom as far as a transaction needs it, and writes back what became of it."""

    def __init__(self, reservation_seconds: float, wake_relay: Callable[[], None] = lambda: None) -> None:
        self._hold = timedelta(seconds=reservation_seconds)
        self._wake_relay = wake_relay
        outcomes = counter(CONTEXT, "reservations", "Reservations by what became of them", "outcome")
        names = ("reserved", "rejected", "shortage", "committed", "released", "delivered", "restocked")
        self._outcomes = {name: outcomes.labels(name) for name in names}

    def load(self, connection: Connection, keys: Sequence[str]) -> Stockroom:
        """The stockroom for the keys of some facts, which come sorted and so grouped by their first letter."""
        endings, orders, skus = (bisect_left(keys, letter) for letter in (ENDING, ORDER, SKU))
        return self.open(
            connection,
            skus=[key[1:] for key in keys[skus:]],
            ids=[key[1:] for key in keys[endings:skus]],
            may_free=orders > 0,
            deliveries=[key[1:] for key in keys[:endings]],
        )

    def open(
        self,
        connection: Connection,
        *,
        skus: list[str],
        ids: list[str],
        may_free: bool = False,
        deliveries: Sequence[str] = (),
    ) -> Stockroom:
        """The shelves of these SKUs and of these reservations' lines, and the reservations, all locked.

        With `may_free`, also the reservations that wait for any of these SKUs. Raises LostUpdate when a reservation
        came to be while its shelves were not locked.
        """
        at = clock.now()
        failpoint("inventory.stockroom.before_lock")
        shelves = {row[0]: Shelf(*tuple(row)) for row in rows_of(connection, _LOCK_SHELVES, skus=skus, ids=ids)}
        wanted = set(ids)
        if may_free:
            # Nobody begins or ceases to wait for a SKU whose stock row is locked: what this finds is still so below.
            wanted.update(row[0] for row in rows_of(connection, _WHO_WAITS, skus=list(shelves)))
        failpoint("inventory.stockroom.between_locks")
        rows = rows_of(connection, _LOCK_RESERVATIONS, ids=list(wanted)) if wanted else ()
        reservations = {row.id: _reservation_of(row) for row in rows}
        self._read_missing(connection, reservations)
        for id_ in ids:
            if (found := reservations.get(id_)) is not None and not found.lines.keys() <= shelves.keys():
                raise LostUpdate(f"reservation {id_} came to be before its shelves were locked")
        return Stockroom(at, at + self._hold, shelves, reservations, _delivered(connection, deliveries))

    def save(self, connection: Connection, room: Stockroom) -> None:
        """Write what became of the stockroom, and what is to be told of it.

        Raises LostUpdate when somebody else made one of the new reservations.
        """
        new = [each for each in room.reservations.values() if each.is_new]
        if new or room.movements:
            made = rows_of(connection, _WRITE, **_shelves(room), **_new(new), **_changed(room), **_moved(room))[0].made
            if made != len(new):
                raise LostUpdate("somebody else made one of these reservations")
        failpoint("inventory.stockroom.after_write")
        _write_waiting(connection, room.reservations.values())
        failpoint("inventory.stockroom.before_tell")
        tell(connection, wire.facts_to_outgoing(room.told), CONTEXT)

    def committed(self, room: Stockroom) -> None:
        """Have told what is to be told, and count what became of reservations."""
        self._wake_relay()
        self.count(room)

    def count(self, room: Stockroom) -> None:
        """Count what became of reservations."""
        for outcome, times in room.outcomes.items():
            self._outcomes[outcome].inc(times)

    def _read_missing(self, connection: Connection, reservations: Mapping[str, Reservation]) -> None:
        """Rule (stock): whether an order is complete is decided under the lock of its reservation row.

        A statement of its own, after the lock: the snapshot of the one that waited for it is older than what the
        other receipt wrote.
        """
        waiting = [each for each in reservations.values() if each.status is ReservationStatus.WAITING]
        if not waiting:
            return
        missing: dict[str, dict[str, int]] = {each.id: {} for each in waiting}
        for row in rows_of(connection, _WHAT_IS_MISSING, ids=list(missing)):
            missing[row.reservation_id][row.sku] = row.missing
        for each in waiting:
            each.missing = each.known_missing = missing[each.id]


def _delivered(connection: Connection, deliveries: Sequence[str]) -> list[str]:
    """Which of these supplier orders are on the shelf already, read under the lock of their SKUs' rows.

    Rule (protocols: events in): beside the inbox every effect has a natural key, here the supplier order: it is told
    again, as a new event, to who asks for it again.
    """
    if not deliveries:
        return []
    return [row.cause_id for row in rows_of(connection, _WHAT_WAS_DELIVERED, ids=list(deliveries))]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _reservation_of(row: Row) -> Reservation:
    id_, holder, status, lines, expires_at, shortages, traceparent = tuple(row)
    return Reservation(
        id_,
        _HOLDERS[holder],
        _STATUSES[status],
        lines,
        expires_at,
        shortages=tuple(Shortage(*shortage) for shortage in shortages) if shortages else (),
        traceparent=traceparent or "",
    )


def _shelves(room: Stockroom) -> dict[str, list[Any]]:
    changed = [room.shelves[sku] for sku in {movement.sku for movement in room.movements}]
    return {
        "shelf_skus": [shelf.sku for shelf in changed],
        "on_hand": [shelf.on_hand for shelf in changed],
        "reserved": [shelf.reserved for shelf in changed],
    }


def _new(new: Sequence[Reservation]) -> dict[str, list[Any]]:
    return {
        "new_ids": [each.id for each in new],
        "holders": [each.holder for each in new],
        "new_statuses": [each.status for each in new],
        "lines": [_json(each.lines) for each in new],
        "new_expiries": [each.expires_at for each in new],
        "shortages": [_json([tuple(short) for short in each.shortages]) if each.shortages else None for each in new],
        "traceparents": [each.traceparent or None for each in new],
    }


def _changed(room: Stockroom) -> dict[str, list[Any]]:
    changed = [each for each in room.reservations.values() if each.is_changed and not each.is_new]
    return {
        "changed_ids": [each.id for each in changed],
        "statuses": [each.status for each in changed],
        "expiries": [each.expires_at for each in changed],
    }


def _moved(room: Stockroom) -> dict[str, list[Any]]:
    names = ("skus", "kinds", "on_hand_deltas", "reserved_deltas", "causes", "orders", "reasons")
    columns = zip(*room.movements, strict=True) if room.movements else ((),) * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _write_waiting(connection: Connection, reservations: Iterable[Reservation]) -> None:
    # Most of those that were read, for goods that might have been theirs, wait on as they did.
    rewritten = [each for each in reservations if each.missing != each.known_missing]
    before = [each.id for each in rewritten if each.known_missing]
    if before:
        run_sql(connection, _FORGET_WAITING, ids=before)
    rows = [(each.id, sku, missing) for each in rewritten for sku, missing in each.missing.items()]
    if rows:
        ids, skus, missing = zip(*rows, strict=True)
        run_sql(connection, _INSERT_WAITING, ids=list(ids), skus=list(skus), missing=list(missing))
