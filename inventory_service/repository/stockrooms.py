"""Stockrooms from and to the tables: rows locked in one order everywhere, written back in one statement for each table.

Rule (stock): stock rows by SKU, then reservation rows by order id; what was read before a lock is read again after it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row

from chassis import clock
from chassis.database import LostUpdate, rows_of, run_sql
from chassis.failpoints import failpoint
from chassis.metrics import counter
from chassis.outbox import tell
from inventory_service import wire
from inventory_service.domain import (
    Holder,
    Movement,
    Reservation,
    ReservationStatus,
    Shelf,
    Shortage,
    Stockroom,
)

CONTEXT: Final = "inventory"

# What a fact touches comes as one list of keys; their first letter tells what they name.
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
_WRITE_SHELVES: Final = """
UPDATE stock SET on_hand = new.on_hand, reserved = new.reserved
FROM unnest(CAST(:skus AS text[]), CAST(:on_hand AS bigint[]), CAST(:reserved AS bigint[]))
    AS new (sku, on_hand, reserved)
WHERE stock.sku = new.sku
"""
_INSERT_RESERVATIONS: Final = """
WITH written AS (
    INSERT INTO reservations (id, holder, status, lines, expires_at, sweep_at, shortages, traceparent)
    SELECT id, holder, status, lines, expires_at,
           CASE WHEN holder = 'rpc' AND status = 'HELD' THEN expires_at END, shortages, traceparent
    FROM unnest(CAST(:ids AS uuid[]), CAST(:holders AS text[]), CAST(:statuses AS text[]), CAST(:lines AS jsonb[]),
                CAST(:expiries AS timestamptz[]), CAST(:shortages AS jsonb[]), CAST(:traceparents AS text[]))
        AS new (id, holder, status, lines, expires_at, shortages, traceparent)
    ORDER BY id ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS rows FROM written
"""
_UPDATE_RESERVATIONS: Final = """
UPDATE reservations SET status = new.status, expires_at = new.expires_at, sweep_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:expiries AS timestamptz[]))
    AS new (id, status, expires_at)
WHERE reservations.id = new.id
"""
_FORGET_WAITING: Final = "DELETE FROM waiting WHERE reservation_id = ANY(CAST(:ids AS uuid[]))"
_INSERT_WAITING: Final = """
INSERT INTO waiting (reservation_id, sku, missing)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:missing AS bigint[]))
"""
_INSERT_MOVEMENTS: Final = """
INSERT INTO movements (sku, kind, on_hand_delta, reserved_delta, cause_id, order_id, reason)
SELECT sku, kind, on_hand_delta, reserved_delta, cause_id, order_id, reason
FROM unnest(CAST(:skus AS text[]), CAST(:kinds AS text[]), CAST(:on_hand_deltas AS bigint[]),
            CAST(:reserved_deltas AS bigint[]), CAST(:causes AS uuid[]), CAST(:orders AS uuid[]),
            CAST(:reasons AS text[]))
    WITH ORDINALITY AS new (sku, kind, on_hand_delta, reserved_delta, cause_id, order_id, reason, place)
ORDER BY place
"""
_STATUSES: Final = {status.value: status for status in ReservationStatus}
_HOLDERS: Final = {holder.value: holder for holder in Holder}


class Stockrooms:
    """Opens the stockroom as far as a transaction needs it, and writes back what became of it."""

    def __init__(self, reservation_seconds: float, wake_relay: Callable[[], None] = lambda: None) -> None:
        self._hold = timedelta(seconds=reservation_seconds)
        self._wake_relay = wake_relay
        outcomes = counter(CONTEXT, "reservations", "Reservations by what became of them", "outcome")
        names = ("reserved", "rejected", "shortage", "committed", "released")
        self._outcomes = {name: outcomes.labels(name) for name in names}

    def load(self, connection: Connection, keys: Sequence[str]) -> Stockroom:
        """The stockroom for the keys of some facts, which come sorted and so grouped by their first letter."""
        orders, skus = bisect_left(keys, ORDER), bisect_left(keys, SKU)
        return self.open(
            connection,
            skus=[key[1:] for key in keys[skus:]],
            ids=[key[1:] for key in keys[:skus]],
            may_free=orders > 0,
        )

    def open(
        self, connection: Connection, *, skus: Sequence[str], ids: Sequence[str] = (), may_free: bool = False
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
        return Stockroom(at, at + self._hold, shelves, reservations)

    def save(self, connection: Connection, room: Stockroom) -> None:
        """Write what became of the stockroom, and what is to be told of it.

        Raises LostUpdate when somebody else made one of the new reservations.
        """
        _write_shelves(connection, room)
        failpoint("inventory.stockroom.after_shelves")
        _insert_reservations(connection, [each for each in room.reservations.values() if each.is_new])
        changed = [each for each in room.reservations.values() if each.is_changed and not each.is_new]
        _update_reservations(connection, changed)
        _write_waiting(connection, room.reservations.values())
        failpoint("inventory.stockroom.after_reservations")
        _insert_movements(connection, room.movements)
        failpoint("inventory.stockroom.before_tell")
        tell(connection, wire.facts_to_outgoing(room.told), CONTEXT)

    def committed(self, room: Stockroom) -> None:
        """Have told what is to be told, and count what became of reservations."""
        self._wake_relay()
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
        for row in rows_of(connection, _WHAT_IS_MISSING, ids=[each.id for each in waiting]):
            reservations[row.reservation_id].missing[row.sku] = row.missing
        for each in waiting:
            each.was_waiting = True


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _reservation_of(row: Row[Any]) -> Reservation:
    id_, holder, status, lines, expires_at, shortages, traceparent = tuple(row)
    return Reservation(
        id_,
        _HOLDERS[holder],
        _STATUSES[status],
        lines,
        expires_at,
        shortages=tuple(Shortage(*shortage) for shortage in shortages or ()),
        traceparent=traceparent or "",
    )


def _write_shelves(connection: Connection, room: Stockroom) -> None:
    changed = [room.shelves[sku] for sku in {movement.sku for movement in room.movements}]
    if changed:
        run_sql(
            connection,
            _WRITE_SHELVES,
            skus=[shelf.sku for shelf in changed],
            on_hand=[shelf.on_hand for shelf in changed],
            reserved=[shelf.reserved for shelf in changed],
        )


def _insert_reservations(connection: Connection, new: Sequence[Reservation]) -> None:
    if not new:
        return
    rows = rows_of(
        connection,
        _INSERT_RESERVATIONS,
        ids=[each.id for each in new],
        holders=[each.holder for each in new],
        statuses=[each.status for each in new],
        lines=[_json(each.lines) for each in new],
        expiries=[each.expires_at for each in new],
        shortages=[_json(each.shortages) if each.shortages else None for each in new],
        traceparents=[each.traceparent or None for each in new],
    )
    if rows[0].rows != len(new):
        raise LostUpdate("somebody else made one of these reservations")


def _update_reservations(connection: Connection, changed: Sequence[Reservation]) -> None:
    if changed:
        run_sql(
            connection,
            _UPDATE_RESERVATIONS,
            ids=[each.id for each in changed],
            statuses=[each.status for each in changed],
            expiries=[each.expires_at for each in changed],
        )


def _write_waiting(connection: Connection, reservations: Iterable[Reservation]) -> None:
    rewritten = [each for each in reservations if each.missing or each.was_waiting]
    before = [each.id for each in rewritten if each.was_waiting]
    if before:
        run_sql(connection, _FORGET_WAITING, ids=list(before))
    rows = [(each.id, sku, missing) for each in rewritten for sku, missing in each.missing.items()]
    if rows:
        ids, skus, missing = zip(*rows, strict=True)
        run_sql(connection, _INSERT_WAITING, ids=list(ids), skus=list(skus), missing=list(missing))


def _insert_movements(connection: Connection, movements: Sequence[Movement]) -> None:
    if not movements:
        return
    skus, kinds, on_hand_deltas, reserved_deltas, causes, orders, reasons = zip(*movements, strict=True)
    run_sql(
        connection,
        _INSERT_MOVEMENTS,
        skus=list(skus),
        kinds=list(kinds),
        on_hand_deltas=list(on_hand_deltas),
        reserved_deltas=list(reserved_deltas),
        causes=list(causes),
        orders=list(orders),
        reasons=list(reasons),
    )
