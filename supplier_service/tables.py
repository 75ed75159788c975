"""The table of supplier orders: its columns, and the supplier order in a row of them."""

from typing import Final

from chassis.database import Row
from supplier_service.domain import Status, SupplierOrder

COLUMNS: Final = """
    order_id, sku, id, status, quantity, supplier, scenario, created_at, reference, checks_made, delayed_answers,
    failures, next_check_at, failure_code, failure_message, is_cancel_requested, version, updated_at
"""


def supplier_order_of(row: Row) -> SupplierOrder:
    """The supplier order in a row of COLUMNS."""
    return SupplierOrder(
        order_id=row.order_id,
        sku=row.sku,
        id=row.id,
        status=Status(row.status),
        quantity=row.quantity,
        supplier=row.supplier,
        scenario=row.scenario,
        created_at=row.created_at,
        reference=row.reference,
        checks_made=row.checks_made,
        delayed_answers=row.delayed_answers,
        failures=row.failures,
        next_check_at=row.next_check_at,
        failure_code=row.failure_code,
        failure_message=row.failure_message,
        is_cancel_requested=row.is_cancel_requested,
        version=row.version,
    )
