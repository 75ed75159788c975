"""All SQL that writes: orders as they are placed and as they change, the price copy, and what time has asked for."""

from order_service.repository.orders import REFUNDS_OF, Loaded, load, load_touched, save
from order_service.repository.placing import Draft, insert_orders
from order_service.repository.prices import copy_products
from order_service.repository.refunds import load_refunds, note_refunds_asked
from order_service.repository.unfinished import SETTLED_SECONDS, note_asked, reschedule, traces_of

__all__ = [
    "REFUNDS_OF",
    "SETTLED_SECONDS",
    "Draft",
    "Loaded",
    "copy_products",
    "insert_orders",
    "load",
    "load_refunds",
    "load_touched",
    "note_asked",
    "note_refunds_asked",
    "reschedule",
    "save",
    "traces_of",
]
