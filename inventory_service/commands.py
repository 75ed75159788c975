"""What may be asked of catalogue and stock: one function for a kind of command, one transaction for a batch of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from chassis import audit, ids
from chassis.audit import Act
from chassis.batcher import CommandFunction
from chassis.database import rows_of
from chassis.errors import NotFound, Refusal
from inventory_service import queries, wire
from inventory_service.domain import (
    ChangeKind,
    ChangeRequest,
    Holder,
    IdempotencyKeyReused,
    MovementKind,
    Offer,
    Product,
    Reservation,
    ReservationNotHeld,
    ReservationStatus,
    StockChange,
    StockHasChanged,
    StockInsufficient,
    StockIsReserved,
    Stockroom,
    UnknownSku,
    wrong_field,
)
from inventory_service.repository import (
    Stockrooms,
    held_differences,
    insert_changes,
    ledger_differences,
    put_offers,
    recorded_changes,
)

C = TypeVar("C")
R = TypeVar("R")

OPERATOR: Final = "operator"

_EXPIRED: Final = "SELECT id FROM reservations WHERE sweep_at <= now() ORDER BY sweep_at LIMIT 200"


@dataclass(frozen=True, slots=True)
class PutProducts:
    """Make or change products, all or none."""

    offers: tuple[Offer, ...]
    actor: str = OPERATOR
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class ChangeStock:
    """Record receipts or an adjustment, all or none."""

    requests: tuple[ChangeRequest, ...]
    actor: str = OPERATOR
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class ChangesRecorded:
    """The changes in the order asked for, and how many of them had been recorded before."""

    changes: tuple[StockChange, ...]
    repeated: int


@dataclass(frozen=True, slots=True)
class ReserveStock:
    """Hold stock under an id that the caller names."""

    reservation_id: str
    lines: Mapping[str, int]
    hold_seconds: int


@dataclass(frozen=True, slots=True)
class CommitReservation:
    """Sell what is held."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReleaseReservation:
    """Give back what is held."""

    reservation_id: str


def functions(stockrooms: Stockrooms) -> dict[type[Any], CommandFunction]:
    """The function for each kind of command."""
    return {
        PutProducts: put_products,
        ChangeStock: partial(change_stock, stockrooms),
        ReserveStock: partial(reserve_stock, stockrooms),
        CommitReservation: partial(commit_reservations, stockrooms),
        ReleaseReservation: partial(release_reservations, stockrooms),
    }


def put_products(connection: Connection, commands: Sequence[PutProducts]) -> list[list[Product]]:
    """Products as they are after each command."""
    # One statement cannot change a product twice: of equal SKUs, the second one goes into a second wave. The first
    # wave holds every SKU, so that rows are locked in the order of their SKUs.
    waves: list[list[Offer]] = []
    seen: Counter[str] = Counter()
    waves_of: list[list[tuple[int, str]]] = []
    for command in commands:
        waves_of.append([(seen[offer.sku], offer.sku) for offer in command.offers])
        for offer in command.offers:
            if seen[offer.sku] == len(waves):
                waves.append([])
            waves[seen[offer.sku]].append(offer)
            seen[offer.sku] += 1
    products = [put_offers(connection, wave) for wave in waves]
    audit.note_all(connection, [_put(offer, command) for command in commands for offer in command.offers])
    return [[products[wave][sku] for wave, sku in places] for places in waves_of]


def _put(offer: Offer, command: PutProducts) -> Act:
    details = {name: value for name, value in asdict(offer).items() if name != "sku"}
    return Act(command.actor, "put_product", offer.sku, details, command.traceparent)


def change_stock(
    stockrooms: Stockrooms, connection: Connection, commands: Sequence[ChangeStock]
) -> list[ChangesRecorded | Refusal]:
    """Receipts and adjustments; what comes in goes to those who wait first.

    Refusals: NotFound, IdempotencyKeyReused, StockHasChanged, StockIsReserved, ValidationFailed.
    """
    requests = [request for command in commands for request in command.requests]
    room = stockrooms.open(connection, skus=sorted({request.sku for request in requests}), ids=[], may_free=True)
    # After the lock: of two equal receipts at once, the second finds the first.
    recorded = recorded_changes(connection, requests)
    known = set(recorded)
    results = _each(commands, lambda command: _change(connection, room, recorded, command))
    stockrooms.save(connection, room)
    new = {name: change for name, change in recorded.items() if name not in known}
    insert_changes(connection, list(new.values()))
    audit.note_all(connection, _changed(commands, results, new))
    stockrooms.count(room)
    return results


def _changed(
    commands: Sequence[ChangeStock],
    results: Sequence[ChangesRecorded | Refusal],
    new: Mapping[tuple[str, str], StockChange],
) -> list[Act]:
    """What was done by whom; who asked for the same once more has done nothing."""
    acts: dict[tuple[str, str], Act] = {}
    for command, result in zip(commands, results, strict=True):
        for request in () if isinstance(result, Refusal) else command.requests:
            name = (request.sku, request.idempotency_key)
            if name in new:
                details = {"quantity_delta": request.quantity_delta, "reason": request.reason, "change": new[name].id}
                action = "adjust_stock" if request.kind is ChangeKind.ADJUSTMENT else "receive_stock"
                acts.setdefault(name, Act(command.actor, action, request.sku, details, command.traceparent))
    return list(acts.values())


def _change(
    connection: Connection, room: Stockroom, recorded: dict[tuple[str, str], StockChange], command: ChangeStock
) -> ChangesRecorded:
    for request in command.requests:
        _check_change(connection, room, recorded, request)
    changes: list[StockChange] = []
    repeated = 0
    for request in command.requests:
        name = (request.sku, request.idempotency_key)
        if name in recorded:
            _demand_equal(recorded[name], request)
            repeated += 1
        else:
            recorded[name] = _record(room, request)
        changes.append(recorded[name])
    return ChangesRecorded(tuple(changes), repeated)


def _check_change(
    connection: Connection,
    room: Stockroom,
    recorded: Mapping[tuple[str, str], StockChange],
    request: ChangeRequest,
) -> None:
    known = recorded.get((request.sku, request.idempotency_key))
    if known is not None:
        _demand_equal(known, request)
        return
    shelf = room.shelves.get(request.sku)
    if shelf is None:
        raise NotFound(f"there is no product {request.sku}")
    if request.expected_on_hand not in (None, shelf.on_hand):
        raise StockHasChanged(
            f"{shelf.on_hand} pieces are on the shelf, not {request.expected_on_hand}",
            metadata={"on_hand": str(shelf.on_hand)},
        )
    if shelf.on_hand + request.quantity_delta < shelf.reserved and request.quantity_delta < 0:
        if not shelf.reserved:
            raise wrong_field("quantity_delta", f"takes more than the {shelf.on_hand} pieces on the shelf")
        holders = queries.holders_of(connection, request.sku, shelf.reserved)
        raise StockIsReserved(
            f"{shelf.reserved} of the {shelf.on_hand} pieces on the shelf are held for others",
            details=(wire.holders_to_proto(holders),),
        )


def _demand_equal(known: StockChange, request: ChangeRequest) -> None:
    if known.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused(
            f"the key {request.idempotency_key} was used for another change of {request.sku}",
            fields={"idempotency_key": ["was used with other content"]},
        )


def _record(room: Stockroom, request: ChangeRequest) -> StockChange:
    id_ = ids.new_id()
    room.change(request.sku, MovementKind(request.kind.value), request.quantity_delta, id_, request.reason)
    shelf = room.shelves[request.sku]
    return StockChange(
        id_, request.sku, request.quantity_delta, request.reason, request.idempotency_key, request.fingerprint,
        shelf.on_hand, shelf.reserved, room.at,
    )  # fmt: skip


def reserve_stock(
    stockrooms: Stockrooms, connection: Connection, commands: Sequence[ReserveStock]
) -> list[Reservation | Refusal]:
    """Hold all lines of each or none; a repeat names the same reservation.

    Refusals: IdempotencyKeyReused, UnknownSku, StockInsufficient.
    """
    room = stockrooms.open(
        connection,
        skus=sorted({sku for command in commands for sku in command.lines}),
        ids=[command.reservation_id for command in commands],
    )
    results = _each(commands, lambda command: _reserve(room, command))
    stockrooms.save(connection, room)
    stockrooms.count(room)
    return results


def _reserve(room: Stockroom, command: ReserveStock) -> Reservation:
    known = room.reservations.get(command.reservation_id)
    if known is not None:
        return _same(known, command)
    unknown = sorted(command.lines.keys() - room.shelves.keys())
    if unknown:
        raise UnknownSku(f"there is no product {unknown[0]}", metadata={"skus": ",".join(unknown)[:255]})
    short = room.shortages_of(command.lines)
    if short:
        raise StockInsufficient(
            f"less is available than was asked for: {', '.join(shortage.sku for shortage in short)}",
            details=(wire.shortages_to_proto(short),),
        )
    return room.reserve(command.reservation_id, command.lines, room.at + timedelta(seconds=command.hold_seconds))


def _same(known: Reservation, command: ReserveStock) -> Reservation:
    was_closed_before = not known.lines
    if known.holder is Holder.RPC and (was_closed_before or known.lines == command.lines):
        return known
    raise IdempotencyKeyReused(
        f"the id {known.id} names another reservation", fields={"reservation_id": ["was used with other lines"]}
    )


def commit_reservations(
    stockrooms: Stockrooms, connection: Connection, commands: Sequence[CommitReservation]
) -> list[Reservation | Refusal]:
    """Sell what is held, once. Refusals: NotFound, ReservationNotHeld."""
    room = stockrooms.open(connection, skus=[], ids=[command.reservation_id for command in commands])
    results = _each(commands, lambda command: _commit(room, command))
    stockrooms.save(connection, room)
    stockrooms.count(room)
    return results


def _commit(room: Stockroom, command: CommitReservation) -> Reservation:
    known = room.reservations.get(command.reservation_id)
    if known is None or known.holder is not Holder.RPC:
        raise NotFound(f"there is no reservation {command.reservation_id}")
    is_over = known.expires_at is not None and known.expires_at <= room.at
    if known.status is ReservationStatus.RELEASED or (known.status is ReservationStatus.HELD and is_over):
        raise ReservationNotHeld(f"the reservation {known.id} was given back, or its time is over")
    room.commit(known.id)
    return known


def release_reservations(
    stockrooms: Stockrooms, connection: Connection, commands: Sequence[ReleaseReservation]
) -> list[Reservation | Refusal]:
    """Give back what is held; a release that overtakes its request closes it.

    Refusals: NotFound, ReservationNotHeld.
    """
    room = stockrooms.open(connection, skus=[], ids=[command.reservation_id for command in commands], may_free=True)
    results = _each(commands, lambda command: _release(room, command))
    stockrooms.save(connection, room)
    stockrooms.count(room)
    return results


def _release(room: Stockroom, command: ReleaseReservation) -> Reservation:
    known = room.reservations.get(command.reservation_id)
    if known is None:
        return room.close(command.reservation_id, Holder.RPC)
    if known.holder is not Holder.RPC:
        raise NotFound(f"there is no reservation {command.reservation_id}")
    if known.status is ReservationStatus.COMMITTED:
        raise ReservationNotHeld(f"the reservation {known.id} was sold")
    room.release(known)
    return known


def free_expired(stockrooms: Stockrooms, connection: Connection) -> int:
    """Give back what callers of ReserveStock hold past their time; how many reservations that were.

    Rule (stock): only these; an order's stock is never freed by inventory's own clock.
    """
    expired = [row.id for row in rows_of(connection, _EXPIRED)]
    if not expired:
        return 0
    room = stockrooms.open(connection, skus=[], ids=expired, may_free=True)
    for id_ in expired:
        # Locked now, and perhaps sold or given back since it was read.
        if (reservation := room.reservations[id_]).status is ReservationStatus.HELD:
            room.release(reservation)
    stockrooms.save(connection, room)
    stockrooms.count(room)
    return len(expired)


def compare_ledger(connection: Connection) -> dict[str, int]:
    """By how many pieces balances and movements differ, by SKU; there must be none."""
    return ledger_differences(connection)


def compare_held(connection: Connection) -> dict[str, int]:
    """By how many pieces what is reserved and what reservations hold differ, by SKU; there must be none."""
    return held_differences(connection)


def _each(commands: Sequence[C], work: Callable[[C], R]) -> list[R | Refusal]:
    """Each command's result, or its refusal: one that is refused has changed nothing, and takes no other with it."""
    results: list[R | Refusal] = []
    for command in commands:
        try:
            results.append(work(command))
        except Refusal as refusal:
            results.append(refusal)
    return results
