"""What is reserved is what reservations hold, whatever their status; and who looks sees where it is not."""

from prometheus_client import REGISTRY

from chassis import ids
from chassis.database import run_sql
from inventory_service.commands import compare_held
from inventory_service.jobs import held_check
from protos.orders.events.v1.events_pb2 import OrderCancelling, OrderCompleted
from tests.services.inventory_service.warehouse import Warehouse, placed


def _told() -> float | None:
    value: float | None = REGISTRY.get_sample_value("inventory_held_difference_pieces")
    return value


def test_pieces_that_are_reserved_for_nobody_are_found(warehouse: Warehouse) -> None:
    warehouse.stock(A=9)
    warehouse.put("B", supplier="acme")
    held, waiting, sold, gone = (ids.new_id() for _ in range(4))
    warehouse.apply(
        placed(held, ("A", 2), ("A", 1)), placed(sold, ("A", 1)), placed(gone, ("A", 1)),
        placed(waiting, ("A", 1), ("B", 2), backorder=True),
    )  # fmt: skip
    warehouse.apply(OrderCompleted(order_id=sold), OrderCancelling(order_id=gone))
    job = held_check(warehouse.database)

    job.work()
    assert (warehouse.balance("A"), _told()) == ((8, 4), 0)

    warehouse.database.write(lambda connection: run_sql(connection, "UPDATE stock SET reserved = 6 WHERE sku = 'A'"))
    job.work()
    assert (warehouse.database.write(compare_held), _told()) == ({"A": 2}, 2)
