"""An inventory service in the test's own process, on real Postgres: what Kafka and gRPC would bring is handed to it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any, Final

from google.protobuf.message import Message
from sqlalchemy import Connection

from chassis import clock, ids, inbox
from chassis.consumer import Folding
from chassis.database import Database, rows_of
from chassis.envelope import Outgoing, open_envelope, seal, type_of
from inventory_service import commands
from inventory_service.commands import ChangesRecorded, ChangeStock, PutProducts, ReserveStock
from inventory_service.domain import CONTEXT, ChangeKind, ChangeRequest, Offer, Product, Supply
from inventory_service.event_handlers import HANDLERS
from inventory_service.repository import Stockrooms
from protos.inventory.events.v1 import events_pb2 as events
from protos.orders.events.v1 import events_pb2 as orders
from protos.suppliers.events.v1 import events_pb2 as suppliers
from tests.statements import before_statement
from tests.waiting import until

TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
RESERVATION_SECONDS: Final = 600
_TOLD: Final = (
    events.StockReserved,
    events.StockRejected,
    events.StockShortage,
    events.StockReleased,
    events.ProductChanged,
)
_TYPES: Final = {type_of(kind): kind for kind in _TOLD}
_OFFSETS: Final = count()
_LEDGER: Final = """
SELECT sku FROM stock LEFT JOIN movements USING (sku) GROUP BY sku, on_hand, reserved
HAVING (on_hand, reserved) <> (COALESCE(sum(on_hand_delta), 0), COALESCE(sum(reserved_delta), 0))
"""


def placed(order_id: str, *lines: tuple[str, int], backorder: bool = False) -> orders.OrderPlaced:
    """An order was placed."""
    return orders.OrderPlaced(
        order_id=order_id,
        customer_id="c-1",
        lines=[orders.Line(sku=sku, quantity=quantity) for sku, quantity in lines],
        stock_policy=orders.STOCK_POLICY_BACKORDER if backorder else orders.STOCK_POLICY_REJECT,
        total_amount_minor=510,
        currency="GBP",
    )


def delivered(order_id: str, sku: str, quantity: int, supplier_order_id: str) -> suppliers.SupplierOrderDelivered:
    """Goods for an order were delivered."""
    return suppliers.SupplierOrderDelivered(
        order_id=order_id, sku=sku, supplier_order_id=supplier_order_id, quantity=quantity
    )


class Warehouse:
    """One instance of the service; `apply` is what a poll of its consumer does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, schema=CONTEXT, application_name="inventory-tests")
        self.database.write(inbox.renew_partitions)
        self.stockrooms = Stockrooms(RESERVATION_SECONDS)
        self.folding = Folding(self.database, CONTEXT, CONTEXT, HANDLERS, self.stockrooms)
        self._functions = commands.functions(self.stockrooms)
        self._threads = ThreadPoolExecutor(4)

    def close(self) -> None:
        """Let its connections go."""
        self._threads.shutdown()
        self.database.close()

    def put(self, *skus: str, supplier: str | None = None) -> None:
        """Make products; with a supplier they can be backordered."""
        supply = Supply.SUPPLIER if supplier else Supply.STOCK
        self.put_offers(
            *(Offer(sku, f"a {sku}", 255, "GBP", supply, supplier, "ok" if supplier else None) for sku in skus)
        )

    def put_offers(self, *offers: Offer) -> list[Product]:
        """Make or change products."""
        products: list[Product] = self.ask(PutProducts(offers))
        return products

    def stock(self, **on_hand: int) -> None:
        """Make products of finite supply with so many pieces."""
        self.put(*on_hand)
        for sku, pieces in on_hand.items():
            if pieces:
                self.receive(sku, pieces)

    def receive(self, sku: str, pieces: int, key: str = "", reason: str = "") -> ChangesRecorded:
        """Goods come in."""
        return self.change(ChangeRequest(ChangeKind.RECEIPT, sku, pieces, reason, key or ids.new_id()))

    def change(self, *requests: ChangeRequest) -> ChangesRecorded:
        """Receipts or an adjustment, in one command."""
        recorded: ChangesRecorded = self.ask(ChangeStock(requests))
        return recorded

    def reserve(self, reservation_id: str, *lines: tuple[str, int], seconds: int = 60) -> Any:
        """A caller holds stock."""
        return self.ask(ReserveStock(reservation_id, dict(lines), seconds))

    def ask(self, command: object) -> Any:
        """The result of one command; raises its refusal."""
        return self.ask_all(command)[0]

    def ask_all(self, *asked: object) -> list[Any]:
        """The results of commands of one kind, in one batch; raises the first refusal, when the batch is committed."""
        results = self.database.write(lambda connection: self._functions[type(asked[0])](connection, asked))
        for result in results:
            if isinstance(result, Exception):
                raise result
        return list(results)

    def apply(self, *facts: Message) -> None:
        """One poll brings these facts of orders."""
        self.deliver(*(self.sealed(fact) for fact in facts))

    def sealed(self, fact: Any) -> tuple[str, bytes]:
        """A fact with its key, as Kafka keeps it."""
        outgoing = Outgoing("orders.events", fact.order_id, fact, traceparent=TRACE)
        return fact.order_id, seal(outgoing, "orders", clock.now())

    def goods_come(self, order_id: str, sku: str, quantity: int, supplier_order_id: str = "") -> str:
        """A poll brings the fact that goods for an order were delivered; the supplier order."""
        id_ = supplier_order_id or ids.new_id()
        self.apply(delivered(order_id, sku, quantity, id_))
        return id_

    def lock(self, connection: Connection, sku: str) -> None:
        """Lock a shelf."""
        rows_of(connection, "SELECT 1 FROM stock WHERE sku = :sku FOR UPDATE", sku=sku)

    def deliver(self, *records: tuple[str, bytes]) -> None:
        """One poll brings these records, perhaps not for the first time."""
        self.folding.apply(
            [self.folding.decode("orders.events", 0, next(_OFFSETS), key.encode(), value) for key, value in records]
        )

    def balance(self, sku: str) -> tuple[int, int]:
        """What is on hand, and what of it is reserved."""
        [row] = self.rows("SELECT on_hand, reserved FROM stock WHERE sku = :sku", sku=sku)
        return row.on_hand, row.reserved

    def status(self, id_: str) -> str | None:
        """Where a reservation stands."""
        rows = self.rows("SELECT status FROM reservations WHERE id = :id", id=id_)
        return rows[0].status if rows else None

    def movements(self, sku: str) -> list[tuple[str, int, int]]:
        """The movements of a SKU, oldest first."""
        sql = "SELECT kind, on_hand_delta, reserved_delta FROM movements WHERE sku = :sku ORDER BY id"
        return [tuple(row) for row in self.rows(sql, sku=sku)]

    def facts(self, key: str) -> list[Any]:
        """What was told under a key, oldest first."""
        rows = self.rows("SELECT payload FROM outbox WHERE key = :key ORDER BY id", key=key)
        return [open_envelope(bytes(row.payload), _TYPES).message for row in rows]

    def told(self, key: str) -> list[str]:
        """The names of what was told under a key, oldest first."""
        return [fact.DESCRIPTOR.name for fact in self.facts(key)]

    def letters(self) -> list[tuple[str, str]]:
        """What is parked: key and error."""
        return [(row.key, row.error) for row in self.rows("SELECT key, error FROM dead_letters ORDER BY record_offset")]

    def unbalanced(self) -> list[str]:
        """The SKUs whose movements do not add up to their balance."""
        return [row.sku for row in self.rows(_LEDGER)]

    def rows(self, sql: str, **parameters: object) -> Sequence[Any]:
        """What a query finds."""
        return self.database.read(lambda connection: rows_of(connection, sql, **parameters))

    def beside(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> "Future[Any]":
        """Do it on another thread."""
        return self._threads.submit(partial(work, *arguments, **named))

    def is_blocked(self) -> bool:
        """Whether a transaction waits for the lock of another."""
        sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
        return bool(self.rows(sql))

    def until_blocked(self) -> None:
        """Wait until a transaction waits for the lock of another."""
        assert until(self.is_blocked, seconds=5)

    @contextmanager
    def before_statement(self, part: str, action: Callable[[], None]) -> Iterator[None]:
        """Do something, once, just before the first statement that contains `part`."""
        with before_statement(self.database, part, action):
            yield
