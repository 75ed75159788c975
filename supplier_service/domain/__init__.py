"""What a supplier order is, what may be asked of a supplier, and what becomes of the answer."""

from typing import Final

from supplier_service.domain.answers import (
    Accepted,
    Answer,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    News,
    Question,
    Rejected,
    SupplierTrouble,
    TooLate,
    Underway,
)
from supplier_service.domain.facts import (
    Fact,
    FailureCode,
    SupplierOrderAccepted,
    SupplierOrderCancelled,
    SupplierOrderDelayed,
    SupplierOrderDelivered,
    SupplierOrderFailed,
    SupplierOrderRejected,
    SupplierOrderUnreachable,
)
from supplier_service.domain.policy import Next, Policy
from supplier_service.domain.supplier_order import (
    NEXT_STATUSES,
    IllegalTransition,
    Status,
    SupplierOrder,
    requested_order,
    unneeded_order,
)

CONTEXT: Final = "suppliers"
"""The word for all of it: package, schema, topics, metrics."""

__all__ = [
    "CONTEXT",
    "NEXT_STATUSES",
    "Accepted",
    "Answer",
    "Cancelled",
    "Delayed",
    "Delivered",
    "Fact",
    "Failed",
    "FailureCode",
    "IllegalTransition",
    "News",
    "Next",
    "Policy",
    "Question",
    "Rejected",
    "Status",
    "SupplierOrder",
    "SupplierOrderAccepted",
    "SupplierOrderCancelled",
    "SupplierOrderDelayed",
    "SupplierOrderDelivered",
    "SupplierOrderFailed",
    "SupplierOrderRejected",
    "SupplierOrderUnreachable",
    "SupplierTrouble",
    "TooLate",
    "Underway",
    "requested_order",
    "unneeded_order",
]
