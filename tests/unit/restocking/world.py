"""Orders, inventory, suppliers and the world behind them, joined by channels in which facts wait to be heard.

Everything is the services' own: domain, handlers, wire. Only tables and broker are missing, and what the broker
promises is kept: facts of one key on one topic come in order, everything else in any.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chassis import ids
from chassis.consumer import Ignore, TooEarly
from inventory_service import event_handlers as inventory
from inventory_service.domain import MovementKind, ReservationStatus, Shelf, Stockroom
from inventory_service.wire import facts_to_outgoing
from order_service import event_handlers as orders
from order_service.domain import Order, Status
from order_service.repository import Loaded as LoadedOrders
from order_service.wire import outgoing_of
from protos.orders.events.v1 import events_pb2 as order_events
from protos.payments.events.v1.events_pb2 import PaymentClosed, PaymentGiveUpRequested
from supplier_service import event_handlers as suppliers
from supplier_service.domain import (
    Accepted,
    Answer,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    Policy,
    Question,
    Rejected,
    SupplierOrder,
    SupplierTrouble,
    TooLate,
    Underway,
)
from supplier_service.repository import Loaded as LoadedSupplierOrders
from supplier_service.wire import fact_to_proto
from tests.unit.order_service.examples import NOON, an_order, received

SKUS: Final = ("S1", "S2")
POLICY: Final = Policy(check=timedelta(seconds=1), max_delayed=2, deadline=timedelta(days=1))
_READERS: Final = {
    "orders.events": ("inventory",),
    "inventory.events": ("orders",),
    "suppliers.requests": ("suppliers",),
    "suppliers.events": ("orders", "inventory"),
}
# The best one first.
_ANSWERS: Final[dict[Question, tuple[Answer, ...]]] = {
    Question.RESERVE: (Accepted("r"), Accepted("r"), SupplierTrouble("500"), Rejected("no")),
    Question.CHECK: (Delivered(), Delayed(), Underway(), SupplierTrouble("500"), Failed("no")),
    Question.CANCEL: (Cancelled(), SupplierTrouble("500"), TooLate()),
}
_KEPT: Final[dict[Question, Answer]] = {
    Question.RESERVE: Accepted("r"),
    Question.CHECK: Delivered(),
    Question.CANCEL: TooLate(),
}
"""What a supplier answers that has delivered already."""

Channel = tuple[str, str, str]


class World:
    """Takes one step after the other; each is named by a number, so that a list of numbers is a history."""

    def __init__(self, stockroom: type[Stockroom] = Stockroom) -> None:
        shelves = {sku: Shelf(sku, 0, 0, "acme", "ok") for sku in SKUS}
        self.room = stockroom(NOON, NOON + timedelta(minutes=10), shelves, {})
        self.orders: dict[str, Order] = {}
        self.placed: dict[str, order_events.OrderPlaced] = {}
        self.goods = LoadedSupplierOrders(datetime(2026, 3, 1, tzinfo=UTC), {}, set())
        self.calls: list[tuple[Question, str]] = []
        self.sent: set[str] = set()
        """What the suppliers have delivered, whether we know or not."""
        self.channels: dict[Channel, deque[Any]] = defaultdict(deque)

    # ---- what may happen

    def place(self, number: int) -> None:
        """Somebody places an order that may wait."""
        order_id = ids.new_id()
        lines = {SKUS[number % 2]: 1 + number % 3} | ({SKUS[1 - number % 2]: 2} if number % 5 == 0 else {})
        self.orders[order_id] = an_order(Status.PENDING, id=order_id)
        self.placed[order_id] = order_events.OrderPlaced(
            order_id=order_id,
            lines=[order_events.Line(sku=sku, quantity=quantity) for sku, quantity in lines.items()],
            stock_policy=order_events.STOCK_POLICY_BACKORDER,
        )
        self._tell("orders.events", order_id, self.placed[order_id])

    def ask_again(self, number: int) -> None:
        """An order that seems stuck asks for its stock once more, by a new event."""
        if self.orders:
            order_id = sorted(self.orders)[number % len(self.orders)]
            self._tell("orders.events", order_id, self.placed[order_id])

    def cancel(self, number: int) -> None:
        """A customer changes their mind."""
        if self.orders:
            order = self.orders[sorted(self.orders)[number % len(self.orders)]]
            if order.is_on_the_way:
                order.cancel("")
                self._tell_orders(order)

    def receive(self, number: int) -> None:
        """Goods turn up that nobody had ordered."""
        self.room.change(SKUS[number % 2], MovementKind.RECEIPT, 1 + number % 3, ids.new_id(), "found")
        self._tell_inventory()

    def answer(self, number: int) -> None:
        """A supplier answers one of the questions that are open."""
        if self.calls:
            question, id_ = self.calls.pop(number % len(self.calls))
            answers = _ANSWERS[question]
            self._hear_supplier(question, id_, answers[number // 7 % len(answers)])

    def bring_news(self, number: int) -> None:
        """A supplier delivers, and says so without being asked."""
        known = [each for each in self.goods.by_id() if each not in self.sent]
        if known:
            id_ = known[number % len(known)]
            self.sent.add(id_)
            self.goods.by_id()[id_].take_news(Delivered())
            self._tell_suppliers()

    def hear(self, number: int) -> None:
        """One fact reaches one of its readers."""
        waiting = [channel for channel, facts in self.channels.items() if facts]
        if waiting:
            self._deliver(waiting[number % len(waiting)])

    # ---- quiet

    def settle(self) -> None:
        """All facts that were told are heard; suppliers answer nothing."""
        while any(self._deliver(channel) for channel in list(self.channels) if self.channels[channel]):
            continue
        assert not any(self.channels.values()), "a fact is too early for ever"

    def end(self) -> None:
        """Suppliers deliver what they were asked for and let go of what they may."""
        self.settle()
        while self.calls:
            question, id_ = self.calls.pop(0)
            self._hear_supplier(question, id_, _ANSWERS[question][0])
            self.settle()

    # ---- what must hold when all facts are heard

    def check(self) -> None:
        """Raises AssertionError for an order that waits for nothing, and for goods that lie about while orders wait."""
        for order in self.orders.values():
            if order.status is Status.AWAITING_RESTOCK:
                assert list(self._missing(order)), f"{order.id} waits, and nothing is missing"
                for sku, missing in self._missing(order):
                    goods = self.goods.supplier_orders.get((order.id, sku))
                    is_open = goods is not None and goods.is_open and not goods.is_cancel_requested
                    coming = goods.quantity if goods is not None and is_open else 0
                    assert coming >= missing, f"nobody brings {missing} of {sku}"
            elif order.has_ended:
                assert not self.room.reservations[order.id].is_holding, f"{order.id} has ended, and holds stock"
        wanted = {sku for each in self._waiting() for sku in each.missing}
        assert not [sku for sku in wanted if self.room.shelves[sku].available], "goods lie about while orders wait"
        for sku, shelf in self.room.shelves.items():
            moved = [each for each in self.room.movements if each.sku == sku]
            assert shelf.on_hand == sum(each.on_hand_delta for each in moved) >= shelf.reserved >= 0
            assert shelf.reserved == sum(each.reserved_delta for each in moved)
            assert shelf.reserved == sum(each.held().get(sku, 0) for each in self._holding())
        names = [(each.cause_id, each.sku, each.kind) for each in self.room.movements]
        assert len(names) == len(set(names)), "one cause moved a SKU twice"

    def _missing(self, order: Order) -> Iterator[tuple[str, int]]:
        yield from self.room.reservations[order.id].missing.items()

    def _waiting(self) -> list[Any]:
        return [each for each in self.room.reservations.values() if each.status is ReservationStatus.WAITING]

    def _holding(self) -> list[Any]:
        return [each for each in self.room.reservations.values() if each.is_holding]

    # ---- how facts travel

    def _tell(self, topic: str, key: str, message: Any) -> None:
        for reader in _READERS.get(topic, ()):
            self.channels[topic, key, reader].append(message)
        if isinstance(message, PaymentGiveUpRequested):
            self.channels["payments.events", key, "orders"].append(PaymentClosed(order_id=key))

    def _deliver(self, channel: Channel) -> bool:
        """Whether the oldest fact of a channel was heard; one that is too early stays where it is."""
        _topic, _key, reader = channel
        message = self.channels[channel][0]
        try:
            self._apply(reader, message)
        except TooEarly:
            return False
        except Ignore:
            pass
        self.channels[channel].popleft()
        self._tell_inventory()
        self._tell_suppliers()
        if message.order_id in self.orders:
            self._tell_orders(self.orders[message.order_id])
        return True

    def _apply(self, reader: str, message: Any) -> None:
        handlers: Any = {"orders": orders, "inventory": inventory, "suppliers": suppliers}[reader].HANDLERS
        loaded: Any = {
            "orders": LoadedOrders(NOON, self.orders), "inventory": self.room, "suppliers": self.goods,
        }[reader]  # fmt: skip
        if type(message) in handlers:
            handlers[type(message)].apply(loaded, received(message))

    def _tell_orders(self, order: Order) -> None:
        for told in outgoing_of([order]):
            self._tell(told.topic, told.key, told.message)
        order.facts.clear()

    def _tell_inventory(self) -> None:
        for told in facts_to_outgoing(self.room.told):
            self._tell(told.topic, told.key, told.message)
        self.room.told.clear()

    def _tell_suppliers(self) -> None:
        for goods in self.goods.supplier_orders.values():
            for fact in goods.facts:
                self._tell("suppliers.events", goods.order_id, fact_to_proto(fact))
            self.calls.extend((question, goods.id) for question in goods.wanted_calls)
            goods.note_saved()
            self._drop_calls(goods)

    def _drop_calls(self, goods: SupplierOrder) -> None:
        """As the repository does: what has ended is not checked again."""
        if not goods.is_open:
            self.calls = [(asked, id_) for asked, id_ in self.calls if id_ != goods.id or asked is Question.CANCEL]

    def _hear_supplier(self, question: Question, id_: str, answer: Answer) -> None:
        """The supplier's word, which must not contradict what it has done."""
        if id_ in self.sent:
            answer = _KEPT[question]
        elif isinstance(answer, Delivered | TooLate):
            self.sent.add(id_)
        following = self.goods.by_id()[id_].take_answer(question, answer, NOON, POLICY)
        if following is not None:
            self.calls.append((following.question, id_))
        self._tell_suppliers()
