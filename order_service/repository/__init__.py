"""All SQL that writes: orders as they are placed and as they change, the price copy, and what time has asked for."""

from order_service.repository.orders import Loaded, load, save
from order_service.repository.placing import Draft, insert_orders
from order_service.repository.prices import copy_products
from order_service.repository.unfinished import note_asked, traces_of

__all__ = [
    "Draft",
    "Loaded",
    "copy_products",
    "insert_orders",
    "load",
    "note_asked",
    "save",
    "traces_of",
]
