"""The stockroom: shelves and reservations that one transaction has locked, and all that may happen to them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from inventory_service.domain.reservation import (
    Fact,
    Holder,
    Policy,
    Reservation,
    ReservationStatus,
    Shortage,
    StockRejected,
    StockReleased,
    StockReserved,
    StockShortage,
)

_HELD, _WAITING = ReservationStatus.HELD, ReservationStatus.WAITING


class MovementKind(StrEnum):
    """What kind of change a movement is."""

    RECEIPT = "receipt"
    RESERVATION = "reservation"
    RELEASE = "release"
    SALE = "sale"
    RESTOCK = "restock"
    ADJUSTMENT = "adjustment"


_EFFECTS: Final = {
    MovementKind.RECEIPT: (1, 0),
    MovementKind.RESERVATION: (0, 1),
    MovementKind.RELEASE: (0, -1),
    MovementKind.SALE: (-1, -1),
    MovementKind.RESTOCK: (1, 0),
    MovementKind.ADJUSTMENT: (1, 0),
}
"""What one piece of a movement does to `on_hand` and to `reserved`."""


class Movement(NamedTuple):
    """One change of one SKU's stock: one row per cause, SKU and kind. Without a reason, the kind says it."""

    sku: str
    kind: MovementKind
    on_hand_delta: int
    reserved_delta: int
    cause_id: str
    order_id: str | None
    reason: str = ""


@dataclass(slots=True)
class Shelf:
    """The stock of one SKU; `supplier` is empty when its supply is finite."""

    sku: str
    on_hand: int
    reserved: int
    supplier: str = ""
    supplier_scenario: str = ""

    @property
    def available(self) -> int:
        """What is on the shelf and held for nobody."""
        return self.on_hand - self.reserved


class NothingHeld(Exception):
    """What was paid for is not held: a sale without goods, which somebody must look at."""


class GoodsUnknown(Exception):
    """Goods of a product that the catalogue does not have, which somebody must look at."""


class NotSold(Exception):
    """Goods of an order come back that never left the shelf, which somebody must look at."""


class SoldAlready(Exception):
    """What is to be given back has left the shelf: an order that is both completed and undone."""


class Stockroom:
    """Takes what happens, one thing after the other; what follows from it is written by the repository.

    Every change of a balance goes through `_move`, so that the sum of the movements is the balance.
    """

    def __init__(
        self,
        at: datetime,
        hold_until: datetime,
        shelves: Mapping[str, Shelf],
        reservations: dict[str, Reservation],
        delivered: Collection[str] = (),
    ) -> None:
        self.at = at
        self.hold_until = hold_until
        self.shelves = shelves
        self.reservations = reservations
        self._delivered = set(delivered)
        self.movements: list[Movement] = []
        self.told: list[tuple[Fact, str]] = []
        self.outcomes: Counter[str] = Counter()
        self._waiting: defaultdict[str, list[Reservation]] = defaultdict(list)
        for each in reservations.values():
            self._note_waiting(each)

    def place(self, order_id: str, lines: Mapping[str, int], policy: Policy, traceparent: str) -> bool:
        """Hold all of an order or nothing of it, or what there is while the rest can come from suppliers.

        False when its release came first: the order is over, and nobody asks any more.
        """
        known = self.reservations.get(order_id)
        if known is not None:
            return self._tell_again(known, traceparent)
        short = self.shortages_of(lines)
        order = Reservation(order_id, Holder.ORDER, _HELD, lines, self.hold_until, is_new=True)
        self.reservations[order_id] = order
        if not short:
            self._hold(order, traceparent)
        elif policy is Policy.BACKORDER and all(shortage.supplier for shortage in short):
            self._wait(order, short, traceparent)
        else:
            # Rule (business rules): one short SKU that nobody delivers, and nothing is held or ordered.
            self._reject(order, short, traceparent)
        return True

    def reserve(self, reservation_id: str, lines: Mapping[str, int], until: datetime) -> Reservation:
        """Hold stock for a caller; what there is must have been asked with `shortages_of` before."""
        reservation = Reservation(reservation_id, Holder.RPC, _HELD, lines, until, is_new=True)
        self.reservations[reservation_id] = reservation
        self._take(reservation)
        self.outcomes["reserved"] += 1
        return reservation

    def commit(self, reservation_id: str) -> bool:
        """Sell what is held; False when it was sold before. Raises NothingHeld: parked and alarmed, never swallowed."""
        reservation = self.reservations.get(reservation_id)
        if reservation is None or reservation.status is not _HELD:
            if reservation is not None and reservation.status is ReservationStatus.COMMITTED:
                return False
            stands = "is unknown" if reservation is None else f"is {reservation.status}"
            raise NothingHeld(f"{reservation_id} was paid for, but its reservation {stands}")
        self._move(MovementKind.SALE, reservation.lines, reservation_id, reservation.order_id)
        reservation.become(ReservationStatus.COMMITTED)
        self.outcomes["committed"] += 1
        return True

    def release_order(self, order_id: str, traceparent: str) -> None:
        """Give back what an order holds, and say so, also when it holds nothing.

        Rule (events in): a release that overtakes its request leaves a closed row, which the request then finds.
        """
        reservation = self.reservations.get(order_id)
        if reservation is None:
            reservation = self.close(order_id, Holder.ORDER)
        self.release(reservation)
        self.told.append((StockReleased(order_id), traceparent))

    def close(self, reservation_id: str, holder: Holder) -> Reservation:
        """A reservation that was over before it was asked for."""
        reservation = Reservation(reservation_id, holder, ReservationStatus.RELEASED, {}, is_new=True)
        self.reservations[reservation_id] = reservation
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back what is held, to those who wait first. Raises SoldAlready."""
        if reservation.status is ReservationStatus.COMMITTED:
            raise SoldAlready(f"{reservation.id} was sold, and cannot be given back")
        if not reservation.is_holding:
            return
        held = reservation.held()
        reservation.become(ReservationStatus.RELEASED)
        reservation.missing = {}
        self._move(MovementKind.RELEASE, held, reservation.id, reservation.order_id)
        self.outcomes["released"] += 1
        for sku in held:
            self._serve_waiting(sku, reservation.id)

    def deliver(self, supplier_order_id: str, order_id: str, sku: str, quantity: int) -> bool:
        """Put a supplier's goods on the shelf; False when they are there already.

        Rule (protocols: stock): they go to the order they were ordered for, though others may wait for longer; were
        they given to the oldest, its own supplier order would be called off, and nobody would bring what is missing
        for this one. What it does not need any more serves those who wait, then is free.
        """
        if supplier_order_id in self._delivered:
            return False
        if sku not in self.shelves:
            raise GoodsUnknown(f"goods of supplier order {supplier_order_id}: there is no product {sku}")
        self._delivered.add(supplier_order_id)
        reason = f"delivered for order {order_id}"
        self._move(MovementKind.RECEIPT, {sku: quantity}, supplier_order_id, None, reason)
        order = self.reservations.get(order_id)
        if order is not None and order.status is _WAITING and sku in order.missing:
            self._allot(self.shelves[sku], order, supplier_order_id, at_most=quantity)
        self._serve_waiting(sku, supplier_order_id)
        self.outcomes["delivered"] += 1
        return True

    def restock(self, refund_id: str, order_id: str, lines: Mapping[str, int]) -> bool:
        """Put goods back that were sold and came back; False when they are there already.

        Those who wait are served first. Raises GoodsUnknown, and NotSold for goods that never left the shelf.
        """
        if refund_id in self._delivered or not lines:
            return False
        order = self.reservations.get(order_id)
        if order is None or order.status is not ReservationStatus.COMMITTED:
            raise NotSold(f"goods of refund {refund_id}: order {order_id} was not sold")
        if unknown := lines.keys() - self.shelves.keys():
            raise GoodsUnknown(f"goods of refund {refund_id}: there is no product {', '.join(sorted(unknown))}")
        self._delivered.add(refund_id)
        self._move(MovementKind.RESTOCK, lines, refund_id, order_id)
        self.outcomes["restocked"] += 1
        for sku in lines:
            self._serve_waiting(sku, refund_id)
        return True

    def change(self, sku: str, kind: MovementKind, quantity_delta: int, cause_id: str, reason: str) -> None:
        """Put goods on the shelf, or take free ones from it; those who wait are served first."""
        self._move(kind, {sku: quantity_delta}, cause_id, None, reason)
        self._serve_waiting(sku, cause_id)

    def shortages_of(self, lines: Mapping[str, int]) -> tuple[Shortage, ...]:
        """What is missing for these lines; a SKU without a shelf has nothing, and nobody who delivers it."""
        shelves = self.shelves
        short = [
            sku
            for sku, quantity in lines.items()
            if (shelf := shelves.get(sku)) is None or shelf.on_hand - shelf.reserved < quantity
        ]
        return tuple(self._shortage(sku, lines[sku]) for sku in short) if short else ()

    def _shortage(self, sku: str, quantity: int) -> Shortage:
        shelf = self.shelves.get(sku) or Shelf(sku, 0, 0)
        return Shortage(sku, quantity, shelf.available, shelf.supplier, 0, shelf.supplier_scenario)

    def _tell_again(self, known: Reservation, traceparent: str) -> bool:
        """Rule (events in): who already has the effect answers with the recorded fact again."""
        if known.holder is not Holder.ORDER:
            raise ValueError(f"{known.id} names a reservation that belongs to no order")
        if known.status in (_HELD, ReservationStatus.COMMITTED):
            self.told.append((StockReserved(known.id, known.expires_at), traceparent))
        elif known.status is _WAITING:
            self.told.append((StockShortage(known.id, known.shortages), traceparent))
        elif known.status is ReservationStatus.REJECTED:
            self.told.append((StockRejected(known.id, known.shortages), traceparent))
        else:
            return False
        return True

    def _hold(self, order: Reservation, traceparent: str) -> None:
        self._take(order)
        self.told.append((StockReserved(order.id, order.expires_at), traceparent))
        self.outcomes["reserved"] += 1

    def _wait(self, order: Reservation, short: Iterable[Shortage], traceparent: str) -> None:
        """Hold what there is; the rest is missing until it becomes available."""
        order.status = _WAITING
        order.traceparent = traceparent
        order.shortages = tuple(shortage._replace(held=shortage.available) for shortage in short)
        order.missing = {shortage.sku: shortage.requested - shortage.held for shortage in order.shortages}
        self._note_waiting(order)
        self._take(order)
        self.told.append((StockShortage(order.id, order.shortages), traceparent))
        self.outcomes["shortage"] += 1

    def _reject(self, order: Reservation, short: tuple[Shortage, ...], traceparent: str) -> None:
        order.status = ReservationStatus.REJECTED
        order.shortages = short
        order.expires_at = None
        self.told.append((StockRejected(order.id, short), traceparent))
        self.outcomes["rejected"] += 1

    def _take(self, reservation: Reservation) -> None:
        self._move(MovementKind.RESERVATION, reservation.held(), reservation.id, reservation.order_id)

    def _serve_waiting(self, sku: str, cause_id: str) -> None:
        """Rule (stock): what becomes available serves waiting orders first, by order id, in part where it must."""
        if sku not in self._waiting:
            return
        shelf = self.shelves[sku]
        for reservation in sorted(self._waiting[sku], key=attrgetter("id")):
            if sku in reservation.missing and shelf.available > 0:
                self._allot(shelf, reservation, cause_id)

    def _note_waiting(self, reservation: Reservation) -> None:
        for sku in reservation.missing:
            self._waiting[sku].append(reservation)

    def _allot(self, shelf: Shelf, order: Reservation, cause_id: str, at_most: int | None = None) -> None:
        quantity = min(shelf.available if at_most is None else at_most, order.missing[shelf.sku])
        reason = f"given to the waiting order by {cause_id}"
        self._move(MovementKind.RESERVATION, {shelf.sku: quantity}, allotment_id(cause_id, order.id), order.id, reason)
        order.gain(shelf.sku, quantity)
        if not order.missing:
            self._complete(order)

    def _complete(self, order: Reservation) -> None:
        """The last missing piece came: from now on the order is held like any other."""
        order.status = _HELD
        order.expires_at = self.hold_until
        self.told.append((StockReserved(order.id, order.expires_at), order.traceparent))
        self.outcomes["reserved"] += 1

    def _move(
        self, kind: MovementKind, lines: Mapping[str, int], cause_id: str, order_id: str | None, reason: str = ""
    ) -> None:
        on_hand, reserved = _EFFECTS[kind]
        for sku, quantity in lines.items():
            shelf = self.shelves[sku]
            shelf.on_hand += on_hand * quantity
            shelf.reserved += reserved * quantity
            self.movements.append(
                Movement(sku, kind, on_hand * quantity, reserved * quantity, cause_id, order_id, reason)
            )


def allotment_id(cause_id: str, order_id: str) -> str:
    """The cause of what one waiting order got from one receipt or release: the same whenever it is computed.

    One thing that becomes available may serve several orders, and a ledger row names one order and one cause.
    """
    return str(uuid5(UUID(cause_id), order_id))
