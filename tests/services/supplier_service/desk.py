"""A supplier service in the test's own process, on real Postgres: what Kafka would bring is handed to it."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any, Final

from google.protobuf.message import Message

from chassis import clock
from chassis.consumer import Folding
from chassis.database import Database, rows_of, run_sql
from chassis.envelope import Outgoing, open_envelope, seal, type_of
from chassis.outside import Limits
from protos.suppliers.events.v1 import events_pb2 as events
from supplier_service.adapters.http import HttpSupplier
from supplier_service.adapters.simulated import SimulatedSupplier
from supplier_service.calls import SupplierCalls
from supplier_service.commands import TakeNews, take_news
from supplier_service.domain import News, Policy
from supplier_service.event_handlers import HANDLERS, SupplierRoom
from supplier_service.queries import list_supplier_orders
from supplier_service.simulator.journal import SCHEMA, Journal
from supplier_service.simulator.scenarios import CALM

TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
TIMEOUT: Final = 0.5
_TOLD: Final = (
    events.SupplierOrderAccepted,
    events.SupplierOrderDelayed,
    events.SupplierOrderDelivered,
    events.SupplierOrderRejected,
    events.SupplierOrderFailed,
    events.SupplierOrderCancelled,
    events.SupplierOrderUnreachable,
)
_TYPES: Final = {type_of(kind): kind for kind in _TOLD}
_OFFSETS: Final = count()


def goods_requested(order_id: str, sku: str = "85123A", scenario: str = "ok") -> events.SupplierOrderRequested:
    """Three pieces asked for an order."""
    return events.SupplierOrderRequested(
        order_id=order_id, sku=sku, quantity=3, supplier="acme", supplier_scenario=scenario
    )


class Desk:
    """One instance of the supplier service, without broker and server; with an address it asks suppliers there."""

    def __init__(self, urls: Mapping[str, str], check_seconds: float = 0.1, address: str = "") -> None:
        self.database = Database(urls["suppliers"], schema="suppliers", application_name="suppliers-tests")
        self.simulator = Database(urls[SCHEMA], schema=SCHEMA, application_name="simulator-tests", pool_size=2)
        policy = Policy(check=timedelta(seconds=check_seconds), max_delayed=2, deadline=timedelta(hours=1))
        over_http = HttpSupplier(address, Limits(TIMEOUT, failures=5, rest=0.5)) if address else None
        self.calls = SupplierCalls(
            self.database,
            over_http or SimulatedSupplier(Journal(self.simulator, CALM)),
            policy,
            timeout_seconds=TIMEOUT,
            in_flight=8,
            wake_relay=lambda: None,
            closing=over_http.close if over_http else None,
        )
        room = SupplierRoom(self.calls.supplier_orders, lambda: None)
        self.folding = Folding(self.database, "suppliers", "suppliers", HANDLERS, room)

    def open(self) -> "Desk":
        """Begin to ask suppliers."""
        self.calls.engine.start()
        return self

    def close(self) -> None:
        """End in order."""
        self.calls.engine.stop()
        self.database.close()
        self.simulator.close()

    def hear(self, *messages: Any) -> list[bytes]:
        """Take messages in as one poll; what was taken in, so that it can be delivered again."""
        records = [
            seal(Outgoing("suppliers.requests", message.order_id, message, 1, TRACE), "orders", clock.now())
            for message in messages
        ]
        self.hear_again(records)
        return records

    def hear_again(self, records: list[bytes]) -> None:
        """Take records in, whether they were heard before or not."""
        self.folding.apply(
            [self.folding.decode("suppliers.requests", 0, next(_OFFSETS), b"", record) for record in records]
        )

    def facts(self, order_id: str) -> list[Message]:
        """What was told about an order, oldest first."""
        sql = "SELECT payload FROM outbox WHERE key = :order_id ORDER BY id"
        rows = self.database.read(lambda connection: rows_of(connection, sql, order_id=order_id))
        opened = [open_envelope(bytes(row.payload), _TYPES) for row in rows]
        assert all(fact.traceparent == TRACE for fact in opened)
        return [fact.message for fact in opened if fact.message is not None]

    def told(self, order_id: str) -> list[str]:
        """The names of what was told about an order, oldest first."""
        return [fact.DESCRIPTOR.name.removeprefix("SupplierOrder") for fact in self.facts(order_id)]

    def statuses(self, order_id: str) -> dict[str, str]:
        """Where the supplier orders of an order stand, by SKU."""
        page, _ = self.database.read(lambda connection: list_supplier_orders(connection, order_id, 100, ""))
        return {shown.supplier_order.sku: shown.supplier_order.status for shown in page}

    def open_calls(self) -> int:
        """Calls that have not come to their end."""
        return int(self.database.read(lambda connection: rows_of(connection, "SELECT count(*) FROM calls"))[0][0])

    def deliver_unheard(self) -> None:
        """Suppliers deliver all that they have accepted, and have not told anybody yet."""
        self.simulator.write(lambda c: run_sql(c, "UPDATE entries SET state = 'delivered'") and None)

    def reference(self, order_id: str) -> str:
        """The id of the one supplier order of an order."""
        page, _ = self.database.read(lambda connection: list_supplier_orders(connection, order_id, 1, ""))
        return page[0].supplier_order.id

    def news(self, *told: tuple[str, News], supplier: str = "acme") -> list[Any]:
        """Suppliers tell something of what they name, all in one batch; what each has changed, or its refusal."""
        asked = [TakeNews(supplier, reference, news, TRACE) for reference, news in told]
        results: list[Any] = self.database.write(lambda c: take_news(self.calls.supplier_orders, c, asked))
        return results

    def entries(self) -> list[tuple[str, int, int]]:
        """The suppliers' books: state, requests and checks of each supplier order."""
        sql = "SELECT state, requests, checks FROM entries ORDER BY key"
        return [tuple(row) for row in self.simulator.read(lambda connection: rows_of(connection, sql))]
