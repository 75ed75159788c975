"""Catalogue and stock on the wire: events in and out, requests as commands, and what is shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from unicodedata import normalize

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.envelope import Outgoing
from chassis.money import format_amount, parse_amount
from inventory_service import domain
from inventory_service.domain import (
    ChangeKind,
    ChangeRequest,
    CurrencyMismatch,
    Fact,
    Offer,
    Policy,
    Product,
    Reservation,
    ReservationStatus,
    Shortage,
    StockChange,
    Supply,
    wrong_field,
)
from inventory_service.queries import MovementView
from protos.inventory.events.v1 import events_pb2 as events
from protos.inventory.v1 import inventory_pb2 as pb
from protos.orders.events.v1 import events_pb2 as orders

STOCK_TOPIC: Final = "inventory.events"
PRODUCT_TOPIC: Final = "inventory.products"

_KINDS: Final[Mapping[str, pb.MovementKind]] = {
    "receipt": pb.MOVEMENT_KIND_RECEIPT,
    "reservation": pb.MOVEMENT_KIND_RESERVATION,
    "release": pb.MOVEMENT_KIND_RELEASE,
    "sale": pb.MOVEMENT_KIND_SALE,
    "restock": pb.MOVEMENT_KIND_RESTOCK,
    "adjustment": pb.MOVEMENT_KIND_ADJUSTMENT,
}
_STATUSES: Final[Mapping[ReservationStatus, pb.ReservationStatus]] = {
    ReservationStatus.HELD: pb.RESERVATION_STATUS_HELD,
    ReservationStatus.WAITING: pb.RESERVATION_STATUS_WAITING,
    ReservationStatus.COMMITTED: pb.RESERVATION_STATUS_COMMITTED,
    ReservationStatus.RELEASED: pb.RESERVATION_STATUS_RELEASED,
    ReservationStatus.REJECTED: pb.RESERVATION_STATUS_REJECTED,
}
_SENTENCES: Final = {
    "reservation": "held",
    "release": "given back",
    "sale": "sold",
    "receipt": "goods came in",
    "restock": "came back after a refund",
    "adjustment": "counted again",
}


def text(value: str, field: str) -> str:
    """A text as clients mean it: trimmed, in NFC. Raises ValidationFailed when nothing is left of it."""
    cleaned = clean(value)
    if not cleaned:
        raise wrong_field(field, "must not be empty")
    return cleaned


def clean(value: str) -> str:
    """A text that may be empty."""
    return (value if value.isascii() else normalize("NFC", value)).strip()


def lines_of(order: orders.OrderPlaced) -> dict[str, int]:
    """The pieces an order needs, by SKU; lines of one SKU count together."""
    lines = _pieces_of(order.order_id, order.lines)
    if not lines:
        raise ValueError(f"{order.order_id} has no lines")
    return lines


def restocked_of(refund: orders.OrderRefunded) -> dict[str, int]:
    """The pieces that came back, by SKU."""
    return _pieces_of(refund.order_id, refund.restocked)


def _pieces_of(order_id: str, lines: Iterable[orders.Line]) -> dict[str, int]:
    pieces: dict[str, int] = {}
    for line in lines:
        quantity = line.quantity
        if quantity < 1:
            raise ValueError(f"{order_id} asks for {quantity} pieces of {line.sku}")
        sku = line.sku
        pieces[sku] = pieces[sku] + quantity if sku in pieces else quantity
    return pieces


def policy_of(order: orders.OrderPlaced) -> Policy:
    """What shall happen when stock does not suffice."""
    return Policy.BACKORDER if order.stock_policy == orders.STOCK_POLICY_BACKORDER else Policy.REJECT


def facts_to_outgoing(told: Iterable[tuple[Fact, str]]) -> list[Outgoing]:
    """Facts with the traces they belong to, as they go out."""
    return [Outgoing(STOCK_TOPIC, fact.order_id, _event_of(fact), traceparent=trace) for fact, trace in told]


def _event_of(fact: Fact) -> Message:
    if isinstance(fact, domain.StockReserved):
        return events.StockReserved(order_id=fact.order_id, expires_at=_timestamp(fact.expires_at))
    if isinstance(fact, domain.StockReleased):
        return events.StockReleased(order_id=fact.order_id)
    shortages = [events.Shortage(**shortage._asdict()) for shortage in fact.shortages]
    if isinstance(fact, domain.StockShortage):
        return events.StockShortage(order_id=fact.order_id, shortages=shortages)
    return events.StockRejected(order_id=fact.order_id, shortages=shortages)


@lru_cache(maxsize=256)
def _timestamp(at: datetime | None) -> Timestamp | None:
    # All orders of a batch are held until the same moment.
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at.astimezone(UTC))
    return stamp


def product_to_outgoing(product: Product, traceparent: str) -> Outgoing:
    """The product as everybody is told of it."""
    offer = product.offer
    changed = events.ProductChanged(
        sku=offer.sku, name=offer.name, price_minor=offer.price_minor, currency=offer.currency, active=offer.active,
        version=product.version,
    )  # fmt: skip
    return Outgoing(PRODUCT_TOPIC, offer.sku, changed, product.version, traceparent)


def offer_of(request: pb.PutProductRequest, currency: str, at: str = "") -> Offer:
    """The product as it shall be; `at` is the path of the request. Raises CurrencyMismatch, ValidationFailed."""
    sku, name = text(request.sku, f"{at}sku"), text(request.name, f"{at}name")
    if request.currency != currency:
        sentence = f"must be {currency}, the currency of this installation"
        raise CurrencyMismatch(f"the price is in {request.currency}", fields={f"{at}currency": [sentence]})
    try:
        price_minor = parse_amount(request.price, currency)
    except ValueError as error:
        raise wrong_field(f"{at}price", str(error)) from None
    supply = Supply.SUPPLIER if request.supply == pb.SUPPLY_SUPPLIER else Supply.STOCK
    supplier = clean(request.supplier) or None
    if supply is Supply.SUPPLIER and supplier is None:
        raise wrong_field(f"{at}supplier", "is needed with supply SUPPLIER")
    active = request.active if request.HasField("active") else True
    return Offer(sku, name, price_minor, currency, supply, supplier, request.supplier_scenario or None, active)


def product_to_proto(product: Product) -> pb.Product:
    """A product as it is shown."""
    offer = product.offer
    return pb.Product(
        sku=offer.sku,
        name=offer.name,
        price=format_amount(offer.price_minor, offer.currency),
        currency=offer.currency,
        supply=pb.SUPPLY_SUPPLIER if offer.supply is Supply.SUPPLIER else pb.SUPPLY_STOCK,
        supplier=offer.supplier,
        supplier_scenario=offer.supplier_scenario,
        active=offer.active,
        version=product.version,
        created_at=_timestamp(product.created_at),
        updated_at=_timestamp(product.updated_at),
    )


def receipt_of(request: pb.ReceiveStockRequest, at: str = "") -> ChangeRequest:
    """The receipt that is asked for."""
    sku, key = text(request.sku, f"{at}sku"), text(request.idempotency_key, f"{at}idempotency_key")
    return ChangeRequest(ChangeKind.RECEIPT, sku, request.quantity, clean(request.reason), key)


def adjustment_of(request: pb.AdjustStockRequest) -> ChangeRequest:
    """The adjustment that is asked for."""
    return ChangeRequest(
        ChangeKind.ADJUSTMENT,
        text(request.sku, "sku"),
        request.quantity_delta,
        clean(request.reason),
        text(request.idempotency_key, "idempotency_key"),
        request.expected_on_hand if request.HasField("expected_on_hand") else None,
    )


def change_to_proto(change: StockChange) -> pb.StockChange:
    """A receipt or adjustment as it was recorded."""
    return pb.StockChange(
        id=change.id,
        sku=change.sku,
        quantity_delta=change.quantity_delta,
        reason=change.reason,
        idempotency_key=change.idempotency_key,
        stock=stock_to_proto(change.sku, change.on_hand, change.reserved),
        at=_timestamp(change.at),
    )


def stock_to_proto(sku: str, on_hand: int, reserved: int) -> pb.Stock:
    """A balance."""
    return pb.Stock(sku=sku, on_hand=on_hand, reserved=reserved, available=on_hand - reserved)


def movement_to_proto(movement: MovementView) -> pb.Movement:
    """A row of the ledger; one without a reason of its own is told by its kind."""
    return pb.Movement(
        id=movement.id,
        sku=movement.sku,
        kind=_KINDS[movement.kind],
        on_hand_delta=movement.on_hand_delta,
        reserved_delta=movement.reserved_delta,
        cause_id=movement.cause_id,
        order_id=movement.order_id,
        reason=movement.reason or _SENTENCES[movement.kind],
        at=_timestamp(movement.at),
    )


def reservation_lines_of(request: pb.ReserveStockRequest) -> dict[str, int]:
    """The pieces asked for, by SKU; lines of one SKU count together."""
    lines: dict[str, int] = {}
    for place, line in enumerate(request.lines):
        sku = text(line.sku, f"lines[{place}].sku")
        lines[sku] = lines.get(sku, 0) + line.quantity
    return lines


def reservation_to_proto(reservation: Reservation) -> pb.Reservation:
    """A reservation as it is shown to its caller."""
    return pb.Reservation(
        reservation_id=reservation.id,
        status=_STATUSES[reservation.status],
        lines=_lines_to_proto(reservation.lines),
        expires_at=_timestamp(reservation.expires_at),
    )


def _lines_to_proto(lines: Mapping[str, int]) -> list[pb.ReservationLine]:
    return [pb.ReservationLine(sku=sku, quantity=quantity) for sku, quantity in sorted(lines.items())]


def shortages_to_proto(shortages: Sequence[Shortage]) -> pb.InsufficientStock:
    """What is missing, as a detail of a refusal."""
    return pb.InsufficientStock(
        shortages=[
            pb.Shortage(sku=short.sku, requested=short.requested, available=short.available) for short in shortages
        ]
    )


def holders_to_proto(order_ids: Sequence[str]) -> pb.StockHolders:
    """Whom an adjustment would take from, as a detail of a refusal."""
    return pb.StockHolders(order_ids=order_ids)
