"""What may be asked of suppliers from outside: to take in the news that they bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from chassis.batcher import CommandFunction
from chassis.errors import Refusal
from chassis.failpoints import failpoint
from supplier_service import queries
from supplier_service.domain import News
from supplier_service.queries import SupplierOrderNotFound
from supplier_service.repository import SupplierOrders


@dataclass(frozen=True, slots=True)
class TakeNews:
    """What a supplier tells of a supplier order, which it names by our id or by its own reference."""

    supplier: str
    reference: str
    news: News
    traceparent: str


def functions(supplier_orders: SupplierOrders) -> dict[type[Any], CommandFunction]:
    """The function for each kind of command."""
    return {TakeNews: partial(take_news, supplier_orders)}


def take_news(
    supplier_orders: SupplierOrders, connection: Connection, commands: Sequence[TakeNews]
) -> list[bool | Refusal]:
    """Whether each of them changed anything; a repeat does not. Refusals: SupplierOrderNotFound."""
    named = queries.named_supplier_orders(connection, [(each.supplier, each.reference) for each in commands])
    loaded = supplier_orders.load(connection, sorted({order_id for order_id, _ in named.values()}))
    known = loaded.by_id()
    results: list[bool | Refusal] = []
    for command in commands:
        found = named.get((command.supplier, command.reference))
        if found is None:
            # Perhaps it comes before the answer that tells us the reference: the sender tries again.
            results.append(SupplierOrderNotFound(f"{command.supplier} has no supplier order {command.reference}"))
            continue
        order_id, supplier_order_id = found
        loaded.traces[order_id] = command.traceparent
        results.append(known[supplier_order_id].take_news(command.news))
    failpoint("suppliers.news.before_save")
    supplier_orders.save(connection, loaded)
    failpoint("suppliers.news.before_commit")
    supplier_orders.count(loaded)
    return results
