"""All SQL that writes supplier orders: rows locked by order and SKU, written back in one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from chassis import clock
from chassis.calls import Call, Calls
from chassis.database import change_all, rows_of, run_sql
from chassis.envelope import Outgoing
from chassis.failpoints import failpoint
from chassis.metrics import counter, histogram
from chassis.outbox import tell
from supplier_service import domain, wire
from supplier_service.domain import CONTEXT, Fact, SupplierOrder
from supplier_service.tables import COLUMNS, supplier_order_of

TOPIC: Final = "suppliers.events"

_LOAD: Final = f"""
SELECT {COLUMNS} FROM supplier_orders WHERE order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY order_id, sku FOR UPDATE
"""
_LOAD_CLOSED: Final = "SELECT order_id FROM closed_orders WHERE order_id = ANY(CAST(:order_ids AS uuid[]))"
_CLOSE: Final = """
INSERT INTO closed_orders (order_id) SELECT unnest(CAST(:order_ids AS uuid[])) ON CONFLICT DO NOTHING
"""
_INSERT: Final = """
INSERT INTO supplier_orders (order_id, sku, id, status, quantity, supplier, scenario, created_at, updated_at, version)
SELECT order_id, sku, id, status, quantity, supplier, scenario, created_at, created_at, 1
FROM unnest(CAST(:order_ids AS uuid[]), CAST(:skus AS text[]), CAST(:ids AS uuid[]), CAST(:statuses AS text[]),
            CAST(:quantities AS bigint[]), CAST(:suppliers AS text[]), CAST(:scenarios AS text[]),
            CAST(:created_ats AS timestamptz[]))
    AS new (order_id, sku, id, status, quantity, supplier, scenario, created_at)
ORDER BY order_id, sku ON CONFLICT DO NOTHING
"""
_UPDATE: Final = """
UPDATE supplier_orders SET
    status = new.status, reference = new.reference, checks_made = new.checks_made,
    delayed_answers = new.delayed_answers, failures = new.failures, next_check_at = new.next_check_at,
    failure_code = new.failure_code, failure_message = new.failure_message,
    is_cancel_requested = new.is_cancel_requested, version = supplier_orders.version + 1, updated_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:statuses AS text[]),
            CAST(:supplier_references AS text[]), CAST(:checks_made AS integer[]), CAST(:delayed_answers AS integer[]),
            CAST(:failures AS integer[]), CAST(:next_check_ats AS timestamptz[]), CAST(:failure_codes AS text[]),
            CAST(:failure_messages AS text[]), CAST(:cancel_requested AS boolean[]))
    AS new (id, version, status, reference, checks_made, delayed_answers, failures, next_check_at, failure_code,
            failure_message, is_cancel_requested)
WHERE supplier_orders.id = new.id AND supplier_orders.version = new.version
"""
_OUTCOMES: Final[dict[type[Fact], str]] = {
    domain.SupplierOrderAccepted: "accepted",
    domain.SupplierOrderDelayed: "delayed",
    domain.SupplierOrderDelivered: "delivered",
    domain.SupplierOrderRejected: "rejected",
    domain.SupplierOrderFailed: "failed",
    domain.SupplierOrderCancelled: "cancelled",
    domain.SupplierOrderUnreachable: "unreachable",
}
_ENDS: Final = (
    domain.SupplierOrderDelivered,
    domain.SupplierOrderRejected,
    domain.SupplierOrderFailed,
    domain.SupplierOrderCancelled,
)
_AGES: Final = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 86_400.0, 604_800.0)


@dataclass(slots=True)
class Loaded:
    """The supplier orders of some orders, as they are and as they become; `closed` orders need nothing more."""

    at: datetime
    supplier_orders: dict[tuple[str, str], SupplierOrder]
    closed: set[str]
    newly_closed: set[str] = field(default_factory=set)
    traces: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def of_order(self, order_id: str) -> list[SupplierOrder]:
        """The supplier orders of one order."""
        return [each for each in self.supplier_orders.values() if each.order_id == order_id]

    def by_id(self) -> dict[str, SupplierOrder]:
        """The same by their own ids."""
        return {each.id: each for each in self.supplier_orders.values()}


class SupplierOrders:
    """Loads and saves supplier orders, with the calls and the facts that follow from what became of them."""

    def __init__(self, calls: Calls[Any]) -> None:
        self._calls = calls
        outcomes = counter(CONTEXT, "supplier_orders", "Supplier orders by what became of them", "outcome")
        self._counted = {fact: outcomes.labels(outcome) for fact, outcome in _OUTCOMES.items()}
        took = histogram(
            CONTEXT,
            "supplier_order_duration_seconds",
            "Time from the request for goods to their delivery, or to another end",
            "outcome",
            buckets=_AGES,
        )
        self._took: dict[type[Fact], Any] = {fact: took.labels(_OUTCOMES[fact]) for fact in _ENDS}

    def load(self, connection: Connection, order_ids: Sequence[str]) -> Loaded:
        """The supplier orders of these orders, locked by order and SKU."""
        rows = rows_of(connection, _LOAD, order_ids=list(order_ids))
        closed = {row.order_id for row in rows_of(connection, _LOAD_CLOSED, order_ids=list(order_ids))}
        return Loaded(clock.now(), {(row.order_id, row.sku): supplier_order_of(row) for row in rows}, closed)

    def save(self, connection: Connection, loaded: Loaded) -> None:
        """Write what changed, the calls that were decided, and what is to be told, in this order.

        `loaded.calls` are then the calls to dispatch after the commit. Raises LostUpdate when somebody was quicker.
        """
        changed = [each for each in loaded.supplier_orders.values() if each.is_changed]
        if loaded.newly_closed:
            run_sql(connection, _CLOSE, order_ids=sorted(loaded.newly_closed))
        _insert(connection, [each for each in changed if each.version == 0])
        _update(connection, [each for each in changed if each.version > 0], loaded.at)
        failpoint("suppliers.save.after_rows")
        wanted = [
            wire.call_of(question, each, loaded.traces.get(each.order_id, ""))
            for each in loaded.supplier_orders.values()
            for question in each.wanted_calls
        ]
        loaded.calls = self._calls.add(connection, wanted)
        # Rule (protocols: stock): what has ended, or is not needed any more, is not checked again.
        self._calls.drop(connection, wire.SUPPLY, [each.id for each in changed if not each.is_open])
        failpoint("suppliers.save.after_calls")
        tell(connection, _told(loaded), CONTEXT)

    def committed(self, loaded: Loaded) -> None:
        """After the commit: count what became of supplier orders, and make the calls that were decided."""
        self.count(loaded)
        self._calls.dispatch(loaded.calls)

    def count(self, loaded: Loaded) -> None:
        """Count what became of supplier orders, and how long that took."""
        for each in loaded.supplier_orders.values():
            if each.is_changed:
                self._count(each, loaded.at)
                each.note_saved()

    def _count(self, supplier_order: SupplierOrder, at: datetime) -> None:
        age = (at - supplier_order.created_at).total_seconds()
        for fact in supplier_order.facts:
            self._counted[type(fact)].inc()
            if (took := self._took.get(type(fact))) is not None:
                took.observe(age)


def _insert(connection: Connection, supplier_orders: Sequence[SupplierOrder]) -> None:
    if not supplier_orders:
        return
    change_all(
        connection,
        _INSERT,
        len(supplier_orders),
        "supplier orders",
        order_ids=[each.order_id for each in supplier_orders],
        skus=[each.sku for each in supplier_orders],
        ids=[each.id for each in supplier_orders],
        statuses=[each.status for each in supplier_orders],
        quantities=[each.quantity for each in supplier_orders],
        suppliers=[each.supplier for each in supplier_orders],
        scenarios=[each.scenario for each in supplier_orders],
        created_ats=[each.created_at for each in supplier_orders],
    )


def _update(connection: Connection, supplier_orders: Sequence[SupplierOrder], at: datetime) -> None:
    if not supplier_orders:
        return
    change_all(
        connection,
        _UPDATE,
        len(supplier_orders),
        "supplier orders",
        now=at,
        ids=[each.id for each in supplier_orders],
        versions=[each.version for each in supplier_orders],
        statuses=[each.status for each in supplier_orders],
        supplier_references=[each.reference for each in supplier_orders],
        checks_made=[each.checks_made for each in supplier_orders],
        delayed_answers=[each.delayed_answers for each in supplier_orders],
        failures=[each.failures for each in supplier_orders],
        next_check_ats=[each.next_check_at for each in supplier_orders],
        failure_codes=[each.failure_code for each in supplier_orders],
        failure_messages=[each.failure_message for each in supplier_orders],
        cancel_requested=[each.is_cancel_requested for each in supplier_orders],
    )


def _told(loaded: Loaded) -> list[Outgoing]:
    return [
        Outgoing(
            TOPIC,
            each.order_id,
            wire.fact_to_proto(fact),
            each.version + each.is_changed,
            loaded.traces.get(each.order_id, ""),
        )
        for each in loaded.supplier_orders.values()
        for fact in each.facts
    ]
