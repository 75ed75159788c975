"""Requests as they come in: put into normal form, checked as a whole, with a fingerprint of what was sent."""

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from chassis.errors import ValidationFailed
from chassis.money import parse_amount
from chassis.validation import validate
from order_service.domain import StockPolicy, Wanted
from protos.orders.v1 import orders_pb2 as pb

DEFAULT_WAIT_MS: Final = 2_000
_LONGEST_SKU: Final = 64
_BLANK: Final = ["must not be blank"]
_LONG: Final = [f"must be at most {_LONGEST_SKU} characters in normal form (NFC)"]


class Asked(NamedTuple):
    """A request for an order, sound in itself."""

    customer_id: str
    idempotency_key: str
    wanted: list[Wanted]
    stock_policy: StockPolicy
    payment_method: str
    expected_minor: int | None
    external_ref: str | None
    metadata: dict[str, str] | None
    currency: str
    fingerprint: bytes
    wait_seconds: float


def decode(request: pb.CreateOrderRequest, currency: str) -> Asked:
    """The request in normal form. Raises ValidationFailed, naming each field.

    Rule (protocols: placing): shape comes first, before key and catalogue.
    """
    validate(request)
    wanted = [Wanted(normal(item.sku), item.quantity) for item in request.items]
    customer_id, key = normal(request.customer_id), normal(request.idempotency_key)
    _require_names(customer_id, key, wanted)
    return Asked(
        customer_id=customer_id,
        idempotency_key=key,
        wanted=wanted,
        stock_policy=StockPolicy.BACKORDER if _may_wait(request) else StockPolicy.REJECT,
        payment_method=normal(request.payment_method),
        expected_minor=_expected(request, currency),
        external_ref=normal(request.external_ref) if request.HasField("external_ref") else None,
        metadata=_notes(request),
        currency=request.currency,
        fingerprint=_fingerprint(request, wanted),
        wait_seconds=(request.wait_ms if request.HasField("wait_ms") else DEFAULT_WAIT_MS) / 1000,
    )


def normal(text: str) -> str:
    """Trimmed and NFC-normalised; its case is kept."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _require_names(customer_id: str, key: str, wanted: Sequence[Wanted]) -> None:
    if customer_id and key and all(0 < len(line.sku) <= _LONGEST_SKU for line in wanted):
        return
    fields = {name: _BLANK for name, text in (("customer_id", customer_id), ("idempotency_key", key)) if not text}
    fields |= {f"items[{place}].sku": _BLANK for place, line in enumerate(wanted) if not line.sku}
    fields |= {f"items[{place}].sku": _LONG for place, line in enumerate(wanted) if len(line.sku) > _LONGEST_SKU}
    raise ValidationFailed("the request is not valid", fields=fields)


def _may_wait(request: pb.CreateOrderRequest) -> bool:
    return request.stock_policy == pb.STOCK_POLICY_BACKORDER


def _expected(request: pb.CreateOrderRequest, currency: str) -> int | None:
    if not request.HasField("expected_total"):
        return None
    try:
        return parse_amount(request.expected_total, currency)
    except ValueError as error:
        raise ValidationFailed("the request is not valid", fields={"expected_total": [str(error)]}) from error


def _notes(request: pb.CreateOrderRequest) -> dict[str, str] | None:
    return {normal(name): normal(note) for name, note in request.metadata.items()} or None


def _fingerprint(request: pb.CreateOrderRequest, wanted: Sequence[Wanted]) -> bytes:
    """Equal for equal requests: of all that the client sent but how long it waits, and never of prices.

    It is stored, so its form must outlast releases: what is added to requests may change it only where it is given.
    """
    sent: list[Any] = [
        [(line.sku, line.quantity) for line in wanted], _may_wait(request), normal(request.payment_method),
        request.currency, request.expected_total, normal(request.external_ref),
    ]  # fmt: skip
    if request.metadata:
        sent.append(sorted((_notes(request) or {}).items()))
    return blake2b(orjson.dumps(sent), digest_size=16).digest()
