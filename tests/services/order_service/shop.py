"""An order service in the test's own process, on real Postgres: what Kafka and gRPC would bring is handed to it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any, Final

from google.protobuf.message import Message

from chassis import clock, ids, inbox
from chassis.consumer import Folding
from chassis.database import Database, rows_of, run_sql
from chassis.envelope import Outgoing, open_envelope, seal, type_of
from order_service import commands, repository
from order_service.commands import Backlog, CancelOrder, Placed, PlaceOrder, Placing, RefundOrder
from order_service.domain import Order, Product, Wanted
from order_service.event_handlers import HANDLERS, PRODUCT_HANDLERS, OrderRoom, ProductRoom
from order_service.tables import CONTEXT, Shown
from protos.inventory.events.v1 import events_pb2 as inventory
from protos.orders.events.v1 import events_pb2 as orders
from protos.payments.events.v1 import events_pb2 as payments
from protos.suppliers.events.v1 import events_pb2 as suppliers
from tests.statements import before_statement

TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
_TOLD: Final = (
    orders.OrderPlaced,
    orders.OrderCompleted,
    orders.OrderCompensating,
    orders.OrderCancelling,
    orders.OrderFailed,
    orders.OrderCancelled,
    orders.OrderExpired,
    payments.PaymentRequested,
    payments.PaymentGiveUpRequested,
    payments.PaymentVoidRequested,
    payments.RefundRequested,
    orders.OrderRefunded,
    suppliers.SupplierOrderRequested,
    suppliers.SupplierOrderCancelRequested,
)
_TYPES: Final = {type_of(kind): kind for kind in _TOLD}
_OFFSETS: Final = count()


def a_command(key: str = "", *lines: tuple[str, int], customer: str = "c-17", **changes: Any) -> PlaceOrder:
    """A request for an order, sound in itself; its fingerprint is that of its lines."""
    wanted = [Wanted(*line) for line in lines or (("A", 2),)]
    print_of_it = repr((lines, changes.get("expected_minor"))).encode()
    return PlaceOrder(ids.new_id(), customer, key or ids.new_id(), print_of_it, wanted, traceparent=TRACE, **changes)


class Shop:
    """One instance of the service; `hear` is what a poll of its consumer does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, schema=CONTEXT, application_name="orders-tests")
        self.database.write(inbox.renew_partitions)
        self.placing = Placing("GBP", "sim_ok")
        self.committed: list[Sequence[Order]] = []
        self.listeners: list[Callable[[Sequence[Order]], None]] = [self.committed.append]
        room = OrderRoom((), self.listeners)
        self.folding = Folding(self.database, CONTEXT, CONTEXT, HANDLERS, room)
        self.price_folding = Folding(self.database, CONTEXT, f"{CONTEXT}.prices", PRODUCT_HANDLERS, ProductRoom())
        self._threads = ThreadPoolExecutor(8)

    def close(self) -> None:
        """Let its connections go."""
        self._threads.shutdown()
        self.database.close()

    def sell(
        self, *skus: str, price: int = 255, version: int = 1, is_active: bool = True, currency: str = "GBP"
    ) -> None:
        """The price copy has these products."""
        products = [Product(sku, f"a {sku}", price, currency, is_active, version) for sku in skus]
        self.database.write(lambda connection: repository.copy_products(connection, products))

    def ask(self, *asked: PlaceOrder) -> list[Any]:
        """Results and refusals of one batch."""
        return list(self.database.write(lambda connection: self.placing.place_orders(connection, asked)))

    def place(self, *lines: tuple[str, int], **changes: Any) -> str:
        """An order that is surely placed; its id."""
        placed = self.ask(a_command("", *lines, **changes))[0]
        assert isinstance(placed, Placed), placed
        return placed.shown.standing.id

    def cancel(self, *order_ids: str, reason: str = "Changed my mind.") -> list[Any]:
        """Results and refusals of one batch of cancels."""
        asked = [CancelOrder(order_id, reason, traceparent=TRACE) for order_id in order_ids]
        return list(self.database.write(lambda connection: commands.cancel_orders(connection, asked)))

    def refund(self, *asked: RefundOrder) -> list[Any]:
        """Results and refusals of one batch of refunds."""
        return list(self.database.write(lambda connection: commands.refund_orders(connection, asked)))

    def hear(self, *facts: Message) -> None:
        """One poll brings these facts."""
        self.deliver(*(self.sealed(fact) for fact in facts))

    def sealed(self, fact: Any) -> tuple[str, str, bytes]:
        """A fact with its topic and key, as Kafka keeps it."""
        topic = f"{type_of(type(fact)).partition('.')[0]}.events"
        return topic, fact.order_id, seal(Outgoing(topic, fact.order_id, fact, traceparent=TRACE), "tests", clock.now())

    def deliver(self, *records: tuple[str, str, bytes]) -> None:
        """One poll brings these records, perhaps not for the first time."""
        self.folding.apply(
            [self.folding.decode(topic, 0, next(_OFFSETS), key.encode(), value) for topic, key, value in records]
        )

    def hear_of(self, *products: inventory.ProductChanged) -> None:
        """One poll of the other consumer brings these products."""
        topic = "inventory.products"
        sealed = [(told.sku, seal(Outgoing(topic, told.sku, told), "inventory", clock.now())) for told in products]
        self.price_folding.apply(
            [self.price_folding.decode(topic, 0, next(_OFFSETS), sku.encode(), value) for sku, value in sealed]
        )

    def order(self, order_id: str) -> Any:
        """The row of an order."""
        [row] = self.rows("SELECT * FROM orders WHERE id = CAST(:id AS uuid)", id=order_id)
        return row

    def status(self, order_id: str) -> str:
        """Where an order stands."""
        return str(self.order(order_id).status)

    def steps(self, order_id: str) -> list[str]:
        """The states of an order's timeline, oldest first."""
        sql = "SELECT to_status FROM timeline WHERE order_id = CAST(:id AS uuid) ORDER BY version"
        return [row.to_status for row in self.rows(sql, id=order_id)]

    def facts(self, order_id: str) -> list[Any]:
        """What was told about an order, oldest first."""
        rows = self.rows("SELECT payload FROM outbox WHERE key = :key ORDER BY id", key=order_id)
        return [open_envelope(bytes(row.payload), _TYPES).message for row in rows]

    def traces(self, order_id: str) -> list[str]:
        """The traces of what was told about an order, oldest first."""
        rows = self.rows("SELECT payload FROM outbox WHERE key = :key ORDER BY id", key=order_id)
        return [open_envelope(bytes(row.payload), _TYPES).traceparent for row in rows]

    def told(self, order_id: str) -> list[str]:
        """The names of what was told about an order, oldest first."""
        return [fact.DESCRIPTOR.name for fact in self.facts(order_id)]

    def letters(self) -> list[tuple[str, str]]:
        """What is parked: key and reason."""
        return [
            (row.key, row.reason) for row in self.rows("SELECT key, reason FROM dead_letters ORDER BY record_offset")
        ]

    def unfinished(self) -> set[str]:
        """The orders that have not ended, as time knows them."""
        return {row.order_id for row in self.rows("SELECT order_id FROM unfinished")}

    def rows(self, sql: str, **parameters: object) -> Sequence[Any]:
        """What a query finds."""
        return self.database.read(lambda connection: rows_of(connection, sql, **parameters))

    def run(self, sql: str, **parameters: object) -> None:
        """Change something past the service."""
        self.database.write(lambda connection: run_sql(connection, sql, **parameters))

    def beside(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> "Future[Any]":
        """Do it on another thread."""
        return self._threads.submit(partial(work, *arguments, **named))

    def is_blocked(self) -> bool:
        """Whether a transaction waits for the lock of another."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
        return bool(self.rows(sql))

    @contextmanager
    def before_statement(self, part: str, action: Callable[[], None]) -> Iterator[None]:
        """Do something, once, just before the first statement that contains `part`."""
        with before_statement(self.database, part, action):
            yield


def full_outbox() -> Backlog:
    """An outbox without room."""
    return Backlog(limit=0)


def shown_of(result: Any) -> Shown:
    """The order of a result that is one."""
    assert isinstance(result, Placed), result
    return result.shown
