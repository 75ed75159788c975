"""What may be read of catalogue and stock: straight SQL into the shape asked for."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection

from chassis.database import Row, rows_of
from chassis.errors import NotFound
from inventory_service.domain import Offer, Product, Supply, wrong_field

_PRODUCT: Final = (
    "sku, name, price_minor, currency, supply, supplier, supplier_scenario, active, version, created_at, updated_at"
)
_BY_SKU: Final = f"SELECT {_PRODUCT} FROM products WHERE sku = ANY(CAST(:skus AS text[]))"
_NEWEST: Final = f"""
SELECT {_PRODUCT} FROM products
WHERE (created_at, sku) < (CAST(:created_at AS timestamptz), CAST(:sku AS text))
ORDER BY created_at DESC, sku DESC LIMIT :size
"""
_MOVEMENTS: Final = """
SELECT id, sku, kind, on_hand_delta, reserved_delta, cause_id, order_id, reason, at FROM movements
WHERE sku = :sku AND id > :after ORDER BY id LIMIT :size
"""
_LATEST_HOLDS: Final = """
SELECT id, COALESCE(order_id, cause_id) AS holder_id, reserved_delta FROM movements
WHERE sku = :sku AND id < :before ORDER BY id DESC LIMIT 1000
"""
_NAMED_HOLDERS: Final = 100
_PAST_ALL: Final = 2**63 - 1


class StockView(NamedTuple):
    """The balance of one SKU."""

    sku: str
    on_hand: int
    reserved: int


class MovementView(NamedTuple):
    """One row of the ledger."""

    id: int
    sku: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    cause_id: str
    order_id: str | None
    reason: str
    at: datetime


def get_product(connection: Connection, sku: str) -> Product:
    """One product. Raises NotFound."""
    try:
        return products_by_sku(connection, [sku])[sku]
    except KeyError:
        raise NotFound(f"there is no product {sku}") from None


def products_by_sku(connection: Connection, skus: Sequence[str]) -> dict[str, Product]:
    """The products among these SKUs that exist."""
    return {row.sku: _product_of(row) for row in rows_of(connection, _BY_SKU, skus=list(skus))}


def list_products(connection: Connection, size: int, page_token: str) -> tuple[list[Product], str]:
    """A page of the catalogue, newest first, and the token of the next one (empty: this was the last)."""
    created_at, sku = _place("products", page_token, (str, str)) if page_token else ("infinity", "")
    rows = rows_of(connection, _NEWEST, created_at=created_at, sku=sku, size=size + 1)
    products = [_product_of(row) for row in rows[:size]]
    last = products[-1] if len(rows) > size else None
    return products, _token("products", last.created_at.isoformat(), last.offer.sku) if last else ""


def get_stock(connection: Connection, sku: str) -> StockView:
    """The balance of one SKU. Raises NotFound."""
    rows = rows_of(connection, "SELECT sku, on_hand, reserved FROM stock WHERE sku = :sku", sku=sku)
    if not rows:
        raise NotFound(f"there is no product {sku}")
    return StockView(*tuple(rows[0]))


def list_movements(connection: Connection, sku: str, size: int, page_token: str) -> tuple[list[MovementView], str]:
    """A page of a SKU's movements, oldest first, and the token of the next one. Raises NotFound."""
    list_name = f"movements of {sku}"
    (after,) = _place(list_name, page_token, (int,)) if page_token else (0,)
    rows = rows_of(connection, _MOVEMENTS, sku=sku, after=after, size=size + 1)
    if not rows:
        get_stock(connection, sku)
    token = _token(list_name, rows[size - 1].id) if len(rows) > size else ""
    return [MovementView(*tuple(row)) for row in rows[:size]], token


def holders_of(connection: Connection, sku: str, reserved: int) -> list[str]:
    """The orders that hold these reserved pieces of a SKU, oldest first, at most a hundred.

    Read from the latest movements back until all pieces are found; ask while the stock row is locked.
    """
    held: dict[str, int] = {}
    before = _PAST_ALL
    while sum(pieces for pieces in held.values() if pieces > 0) < reserved:
        rows = rows_of(connection, _LATEST_HOLDS, sku=sku, before=before)
        if not rows:
            break
        for row in rows:
            held[row.holder_id] = held.get(row.holder_id, 0) + row.reserved_delta
        before = rows[-1].id
    return sorted(holder for holder, pieces in held.items() if pieces > 0)[:_NAMED_HOLDERS]


def waiting_reservations(connection: Connection) -> int:
    """How many reservations wait for goods."""
    return int(rows_of(connection, "SELECT count(DISTINCT reservation_id) FROM waiting")[0][0])


def _product_of(row: Row) -> Product:
    sku, name, price_minor, currency, supply, supplier, scenario, active, version, created_at, updated_at = tuple(row)
    offer = Offer(sku, name, price_minor, currency, Supply(supply), supplier, scenario, active)
    return Product(offer, version, created_at, updated_at)


def _token(list_name: str, *place: object) -> str:
    body = orjson.dumps(place)
    return urlsafe_b64encode(_seal(list_name, body) + body).decode().rstrip("=")


def _place(list_name: str, token: str, types: tuple[type, ...]) -> Any:
    """Where a page ends that this list gave out. Raises ValidationFailed for any other token."""
    try:
        raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        if raw[:8] == _seal(list_name, raw[8:]):
            place = orjson.loads(raw[8:])
            if [type(part) for part in place] == list(types):
                return place
    except (binascii.Error, ValueError):
        pass
    raise wrong_field("page_token", "is not a token of this list")


def _seal(list_name: str, body: bytes) -> bytes:
    # Not a secret: it tells a token of this list from text that somebody made up or cut off.
    return blake2b(body, key=list_name.encode()[:64], digest_size=8).digest()
