"""What may be asked of orders: each function does a batch of one kind of command in the caller's transaction."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from chassis import audit, clock, dead_letters, tracing
from chassis.database import LostUpdate, rows_of
from chassis.errors import Overloaded, Refusal
from chassis.failpoints import failpoint
from chassis.tables import OUTBOX_LIMIT
from order_service import queries, repository
from order_service.domain import (
    BEFORE_MONEY,
    IdempotencyKeyReused,
    Line,
    Order,
    OrderNotFound,
    OrderNotResumable,
    Product,
    Refund,
    Refunds,
    Status,
    StockPolicy,
    Wanted,
    WantedRefund,
    open_requests,
    priced,
    require_currency,
    total_of,
)
from order_service.queries import Known
from order_service.repository import Draft
from order_service.tables import Shown, Terms

CUSTOMER: Final = "customer"
IMPORT: Final = "import"
OPERATOR: Final = "operator"
TIME: Final = "orders"
SETTLED_SECONDS: Final = repository.SETTLED_SECONDS
_LOOK_SECONDS: Final = 1.0
_REFUNDS_AT_ONCE: Final = 1_000


class PlaceOrder(NamedTuple):
    """Asks for an order, under a new id of its own; what it is, is `wanted`, as the client sent it.

    An import brings its own prices and date: then `priced_lines` (and `wanted` with the same SKUs and quantities) and
    `placed_at` are given, `actor` is IMPORT, and neither the price copy nor the catalogue is asked. `fingerprint` is
    what makes two requests with one key the same; it must cover all that was sent, and no price that was not.
    `is_copy_complete` says that inventory was asked, and knows no SKU that the price copy lacks.
    """

    id: str
    customer_id: str
    idempotency_key: str
    fingerprint: bytes
    wanted: Sequence[Wanted]
    stock_policy: StockPolicy = StockPolicy.REJECT
    payment_method: str = ""
    expected_minor: int | None = None
    currency: str = ""
    external_ref: str | None = None
    metadata: dict[str, str] | None = None
    traceparent: str = ""
    actor: str = CUSTOMER
    placed_at: datetime | None = None
    priced_lines: Sequence[Line] | None = None
    is_copy_complete: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What names the order to its customer."""
        return self.customer_id, self.idempotency_key


class Placed(NamedTuple):
    """The order that stands under a command's key, whoever placed it."""

    shown: Shown
    is_replayed: bool


class CancelOrder(NamedTuple):
    """Asks for an order's end."""

    order_id: str
    reason: str
    actor: str = CUSTOMER
    traceparent: str = ""


class Cancelled(NamedTuple):
    """The order after a cancel, and whether it was this cancel that moved it."""

    shown: Shown
    has_moved: bool


class RefundOrder(NamedTuple):
    """Asks for money of an order to be given back, under a new id of its own."""

    id: str
    order_id: str
    wanted: WantedRefund
    actor: str = OPERATOR
    traceparent: str = ""


class RefundStands(NamedTuple):
    """The refund that stands under a command's key, whoever asked for it."""

    refund: Refund
    currency: str
    is_replayed: bool


class ResumeOrder(NamedTuple):
    """Asks for the open request of an order to be sent once more, now."""

    order_id: str
    actor: str = OPERATOR
    traceparent: str = ""


@dataclass(slots=True)
class Backlog:
    """Whether the outbox has room (promise P11); looked at once a second, and counted only when it may be full."""

    limit: int = OUTBOX_LIMIT
    has_room: bool = True
    look_at: float = field(default=0.0)

    def look(self, connection: Connection) -> bool:
        """Whether something new may be placed."""
        if clock.monotonic() >= self.look_at:
            self.look_at = clock.monotonic() + _LOOK_SECONDS
            span = "SELECT COALESCE(max(id) - min(id), 0) AS rows FROM outbox"
            self.has_room = rows_of(connection, span)[0].rows < self.limit or self._counted(connection) < self.limit
        return self.has_room

    @staticmethod
    def _counted(connection: Connection) -> int:
        return int(rows_of(connection, "SELECT count(*) AS rows FROM outbox")[0].rows)


def copy_products(connection: Connection, products: Sequence[Product]) -> None:
    """Keep what inventory's catalogue told of products that the price copy lacked."""
    repository.copy_products(connection, products)


@dataclass(frozen=True, slots=True)
class Placing:
    """Places orders, in batches."""

    currency: str
    payment_method: str
    backlog: Backlog = field(default_factory=Backlog)

    def place_orders(self, connection: Connection, commands: Sequence[PlaceOrder]) -> list[Placed | Refusal]:
        """Store what is new, find what was placed before; a result or a refusal for each command, in order.

        Rules (protocols: placing): equal keys inside the batch are folded first. After shape comes the key, then the
        catalogue: a retry finds its order whatever became of prices since. A refused command leaves its key free.
        """
        results: dict[int, Placed | Refusal] = {}
        rest = list(enumerate(commands))
        while rest:
            first = {command.key: command for _, command in reversed(rest)}
            told = self._place_distinct(connection, first)
            results |= {place: result for place, command in rest if (result := _result_of(command, first, told))}
            rest = [(place, command) for place, command in rest if place not in results]
        failpoint("orders.place.before_commit")
        return [results[place] for place in range(len(commands))]

    def _place_distinct(
        self, connection: Connection, commands: Mapping[tuple[str, str], PlaceOrder]
    ) -> dict[tuple[str, str], Placed | Refusal]:
        at = clock.now()
        drafts, told = self._drafts(connection, commands.values(), at)
        failpoint("orders.place.before_insert")
        placed = repository.insert_orders(connection, list(drafts.values()), at) if drafts else set()
        unsettled = [key for key in commands if key in told or drafts[key].id not in placed]
        # A statement of its own: the one that inserted cannot see what it lost against.
        known = queries.orders_under(connection, unsettled) if unsettled else {}
        told |= {key: Placed(draft.shown(), False) for key, draft in drafts.items() if draft.id in placed}
        told |= {key: _judge(commands[key], found) for key, found in known.items()}
        if len(told) < len(commands):
            raise LostUpdate("a key was taken, and is free again")
        return told

    def _drafts(
        self, connection: Connection, commands: Iterable[PlaceOrder], at: datetime
    ) -> tuple[dict[tuple[str, str], Draft], dict[tuple[str, str], Placed | Refusal]]:
        skus = {line.sku for command in commands if command.priced_lines is None for line in command.wanted}
        products = queries.products_of(connection, skus)
        has_room = self.backlog.look(connection)
        drafts: dict[tuple[str, str], Draft] = {}
        refused: dict[tuple[str, str], Placed | Refusal] = {}
        for command in commands:
            try:
                drafts[command.key] = self._draft(command, products, at, has_room)
            except Refusal as refusal:  # kept, not swallowed: the key may turn out to be known
                refused[command.key] = refusal
        return drafts, refused

    def _draft(self, command: PlaceOrder, products: Mapping[str, Product], at: datetime, has_room: bool) -> Draft:
        if not has_room:
            raise Overloaded("more facts are waiting to be told than can be borne", retry_after=5.0)
        require_currency(command.currency, self.currency)
        lines = command.priced_lines
        if lines is None:
            lines = priced(command.wanted, products, self.currency, is_copy_complete=command.is_copy_complete)
        terms = Terms(
            customer_id=command.customer_id,
            idempotency_key=command.idempotency_key,
            total_minor=total_of(lines, command.expected_minor, self.currency),
            currency=self.currency,
            stock_policy=command.stock_policy,
            payment_method=command.payment_method or self.payment_method,
            external_ref=command.external_ref,
            metadata=command.metadata,
            items=[line._asdict() for line in lines],
            placed_at=command.placed_at or at,
            created_at=at,
        )
        return Draft(command.id, terms, command.wanted, command.fingerprint, command.actor, command.traceparent)


def _result_of(
    command: PlaceOrder,
    first: Mapping[tuple[str, str], PlaceOrder],
    told: Mapping[tuple[str, str], Placed | Refusal],
) -> Placed | Refusal | None:
    """The command's own result, or that of the equal one before it; None when its turn is still to come."""
    leader, result = first[command.key], told[command.key]
    if command is leader:
        return result
    if command.fingerprint == leader.fingerprint:
        return result._replace(is_replayed=True) if isinstance(result, Placed) else result
    # The leader's key may be free still, or stand for what this command asks.
    return None if isinstance(result, Refusal) else _reused(command.idempotency_key)


def _judge(command: PlaceOrder, found: Known) -> Placed | Refusal:
    if found.fingerprint != command.fingerprint:
        return _reused(command.idempotency_key)
    # A commit whose answer was lost is run again, and finds its own order: that is no replay.
    return Placed(found.shown, found.shown.standing.id != command.id)


def _reused(idempotency_key: str) -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "the idempotency key stands for another request",
        fields={"idempotency_key": ["was used for another request"]},
        metadata={"idempotency_key": idempotency_key},
    )


def cancel_orders(connection: Connection, commands: Sequence[CancelOrder]) -> list[Cancelled | Refusal]:
    """Cancel what can be cancelled; a client's command that loses answers with what now is."""
    loaded = repository.load(connection, sorted({command.order_id for command in commands}))
    judged = [_cancel(loaded.orders.get(command.order_id), command) for command in commands]
    repository.save(connection, loaded)
    failpoint("orders.cancel.before_commit")
    shown = queries.get_orders(connection, list(loaded.orders))
    return [
        judgement if isinstance(judgement, Refusal) else Cancelled(shown[command.order_id], judgement)
        for command, judgement in zip(commands, judged, strict=True)
    ]


def _cancel(order: Order | None, command: CancelOrder) -> bool | Refusal:
    """Whether the order has moved, or why it cannot: a refusal is for its own caller, the others go on."""
    if order is None:
        return OrderNotFound(f"there is no order {command.order_id}")
    order.actor, order.traceparent = command.actor, command.traceparent
    before = order.version
    try:
        order.cancel(command.reason)
    except Refusal as refusal:
        return refusal
    return order.version > before


def refund_orders(connection: Connection, commands: Sequence[RefundOrder]) -> list[RefundStands | Refusal]:
    """Ask for the refunds that fit; one that was asked for before is found by its key, whatever became of the order."""
    loaded = repository.load(connection, sorted({command.order_id for command in commands}))
    loaded.refunds = repository.load_refunds(connection, loaded.orders, with_lines=True)
    results = [_refund(loaded.refunds.get(command.order_id), command) for command in commands]
    repository.save(connection, loaded)
    failpoint("orders.refund.before_commit")
    return results


def _refund(refunds: Refunds | None, command: RefundOrder) -> RefundStands | Refusal:
    if refunds is None:
        return OrderNotFound(f"there is no order {command.order_id}")
    order, wanted = refunds.order, command.wanted
    order.actor, order.traceparent = command.actor, command.traceparent
    try:
        known = refunds.under(wanted.idempotency_key)
        if known is None:
            return RefundStands(refunds.request(wanted, command.id), order.currency, False)
    except Refusal as refusal:  # an answer to this command alone
        return refusal
    if known.fingerprint != wanted.fingerprint:
        return _reused(wanted.idempotency_key)
    return RefundStands(known, order.currency, known.id != command.id)


def chase_orders(connection: Connection, order_ids: Sequence[str]) -> Counter[str]:
    """Ask after those of these orders that have waited too long, or are held for too long; how many, by status.

    Rules (protocols: events in, one door): an order that stays in a status longer than allowed has its open request
    sent again as a new event; whoever has the effect answers with the recorded fact. Expiry asks payments to close the
    door, which is a command, not a look: the order stays RESERVED until payments has answered.
    """
    loaded = repository.load(connection, sorted(order_ids))
    # Read again under the locks: an answer, or another instance of this job, may have been quicker.
    due = [loaded.orders[wait.id] for wait in queries.waits_of(connection, order_ids) if wait.due_at <= loaded.at]
    traces = repository.traces_of(connection, [order.id for order in due])
    for order in due:
        order.actor, order.traceparent = TIME, tracing.from_headers(None, traces.get(order.id))
    _ask_again(connection, due)
    repository.save(connection, loaded)
    failpoint("orders.chase.before_commit")
    return Counter(order.status.value for order in due)


def _ask_again(connection: Connection, orders: Sequence[Order]) -> None:
    if not orders:
        return
    placed = queries.placed_of(connection, [order.id for order in orders if order.status in BEFORE_MONEY])
    for order in orders:
        if _is_over(order):
            order.ask_to_expire()
        else:
            order.facts.extend(open_requests(order, placed.get(order.id)))
    repository.note_asked(connection, orders)


def chase_refunds(connection: Connection, order_ids: Sequence[str]) -> int:
    """Ask once more for the refunds of these orders that nobody has answered for too long; how many they are.

    Rule (protocols: events in): what waits longer than allowed has its request sent again as a new event; payments,
    which has the refund, answers with what was recorded.
    """
    loaded = repository.load(connection, sorted(order_ids))
    # Read again under the locks, as above.
    due = queries.due_refunds(connection, _REFUNDS_AT_ONCE, order_ids)
    asked = _ask_for_refunds(connection, [loaded.orders[order_id] for order_id in sorted(set(due.values()))], due)
    repository.save(connection, loaded)
    return asked


def _ask_for_refunds(connection: Connection, orders: Sequence[Order], only: Container[str] | None = None) -> int:
    """How many open refunds of these orders were asked for once more; all of them, or `only` those."""
    if not orders:
        return 0
    traces = repository.traces_of(connection, [order.id for order in orders])
    asked: list[Refund] = []
    for theirs in repository.load_refunds(connection, {order.id: order for order in orders}).values():
        order = theirs.order
        order.actor = order.actor or TIME
        order.traceparent = order.traceparent or tracing.from_headers(None, traces.get(order.id))
        asked += theirs.ask_again(only)
    repository.note_refunds_asked(connection, asked)
    return len(asked)


def _is_over(order: Order) -> bool:
    return order.status is Status.RESERVED and order.reserved_until is not None and order.reserved_until <= order.at


def reschedule_orders(connection: Connection, due: Mapping[str, datetime]) -> None:
    """Look at these orders at these times, not before."""
    repository.reschedule(connection, due)


def resume_orders(connection: Connection, commands: Sequence[ResumeOrder]) -> list[Shown | Refusal]:
    """What time does with stuck orders and refunds, by hand: send the open request again at once, and note who did it.

    What is parked of them is tried at once, too.
    """
    order_ids = sorted({command.order_id for command in commands})
    dead_letters.hurry(connection, order_ids)
    loaded = repository.load(connection, order_ids)
    wanted = {command.order_id: command for command in commands if command.order_id in loaded.orders}
    for order_id, command in wanted.items():
        loaded.orders[order_id].actor, loaded.orders[order_id].traceparent = command.actor, command.traceparent
    _ask_again(connection, [loaded.orders[id_] for id_ in wanted if not loaded.orders[id_].has_ended])
    _ask_for_refunds(
        connection, [loaded.orders[id_] for id_ in wanted if loaded.orders[id_].status is Status.COMPLETED]
    )
    resumed = {order_id: order for order_id in wanted if _is_asked_after(order := loaded.orders[order_id])}
    repository.save(connection, loaded)
    for command in commands:
        if command.order_id in resumed:
            tracing.current.set(command.traceparent)
            _note_resumed(connection, resumed[command.order_id], command.actor)
    failpoint("orders.resume.before_commit")
    shown = queries.get_orders(connection, list(resumed))
    return [shown.get(command.order_id) or _not_resumed(loaded.orders.get(command.order_id)) for command in commands]


def _is_asked_after(order: Order) -> bool:
    return not order.has_ended or bool(order.facts)


def _note_resumed(connection: Connection, order: Order, actor: str) -> None:
    details = {"status": order.status, "sent": [type(fact).__name__ for fact in order.facts]}
    audit.note(connection, actor=actor, action="resume_order", subject=order.id, details=details)


def _not_resumed(order: Order | None) -> Refusal:
    if order is None:
        return OrderNotFound("there is no such order")
    return OrderNotResumable(f"the order is {order.status}, and waits for nothing", metadata={"status": order.status})
