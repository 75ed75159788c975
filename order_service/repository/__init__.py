"""All SQL that writes: orders as they are placed and as they change, the price copy, and what time has asked for."""

from order_service.repository.orders import Loaded, load, save
from order_service.repository.placing import Draft, insert_orders
from order_service.repository.prices import LoadedProducts, ProductRoom, copy_products, products_of
from order_service.repository.unfinished import due_ids, note_asked, traces_of

__all__ = [
    "Draft",
    "Loaded",
    "LoadedProducts",
    "ProductRoom",
    "copy_products",
    "due_ids",
    "insert_orders",
    "load",
    "note_asked",
    "products_of",
    "save",
    "traces_of",
]
