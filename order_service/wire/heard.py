"""What other contexts tell, in the words of the domain."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from order_service.domain import FailureCode, MissingGoods, Product, Shortage
from protos.inventory.events.v1 import events_pb2 as inventory

_SUPPLIER_FAILURES: Final = frozenset({FailureCode.SUPPLIER_FAILED, FailureCode.SUPPLIER_DELAYED})


def instant(stamp: Timestamp) -> datetime:
    """An aware datetime in UTC."""
    return stamp.ToDatetime(UTC)


def shortages_of(shortages: Iterable[inventory.Shortage]) -> list[Shortage]:
    """What is missing, by SKU."""
    return [Shortage(shortage.sku, shortage.requested, shortage.available) for shortage in shortages]


def missing_goods_of(shortages: Iterable[inventory.Shortage]) -> list[MissingGoods]:
    """What suppliers shall deliver: all that is not held already."""
    return [
        MissingGoods(shortage.sku, shortage.requested - shortage.held, shortage.supplier, shortage.supplier_scenario)
        for shortage in shortages
    ]


def product_of(fact: inventory.ProductChanged) -> Product:
    """A product as inventory tells it."""
    return Product(fact.sku, fact.name, fact.price_minor, fact.currency, fact.active, fact.version)


def failure_of(code: str) -> FailureCode:
    """Why a supplier order failed; a word that is not known here is a plain failure."""
    return FailureCode(code) if code in _SUPPLIER_FAILURES else FailureCode.SUPPLIER_FAILED
