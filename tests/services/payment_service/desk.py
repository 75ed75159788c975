"""A payment service in the test's own process, on real Postgres: what Kafka would bring is handed to it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, Final

from google.protobuf.message import Message

from chassis import clock, ids
from chassis.consumer import Folding
from chassis.database import Database, rows_of, run_sql
from chassis.envelope import Outgoing, open_envelope, seal, type_of
from payment_service.adapters.simulated import SimulatedProvider
from payment_service.calls import ProviderCalls
from payment_service.domain import Policy
from payment_service.event_handlers import HANDLERS, PaymentRoom
from payment_service.ports import PaymentProvider
from payment_service.queries import list_payments
from payment_service.simulator.journal import SCHEMA, Journal
from payment_service.simulator.scenarios import CALM
from protos.payments.events.v1 import events_pb2 as events

TIMEOUT: Final = 0.6
"""Seconds; a lease is three of them."""
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
_TOLD: Final = (
    events.PaymentStarted,
    events.PaymentCaptured,
    events.PaymentDeclined,
    events.PaymentUnavailable,
    events.PaymentUnknown,
    events.PaymentClosed,
    events.PaymentVoided,
    events.PaymentAttention,
    events.RefundSucceeded,
    events.RefundFailed,
    events.RefundDelayed,
)
_TYPES: Final = {type_of(kind): kind for kind in _TOLD}
_OFFSETS: Final = count()


def a_policy(**changes: Any) -> Policy:
    """Everything as in production, only quicker."""
    usual: dict[str, Any] = {
        "timeout": timedelta(seconds=TIMEOUT),
        "attempts": 3,
        "key_age": timedelta(hours=20),
        "unknown_schedule": (timedelta(seconds=0.5), timedelta(seconds=1), timedelta(seconds=2)),
    }
    return Policy(**usual | changes)


def payment_requested(order_id: str, method: str = "sim_ok", *, seconds: float = 600) -> events.PaymentRequested:
    """Money asked for an order that is reserved for `seconds` more."""
    return events.PaymentRequested(
        order_id=order_id,
        customer_id="c-1",
        amount_minor=510,
        currency="GBP",
        payment_method=method,
        reserved_until=clock.now() + timedelta(seconds=seconds),
    )


def refund_requested(order_id: str, amount_minor: int, refund_id: str = "") -> events.RefundRequested:
    """Money asked back for an order."""
    return events.RefundRequested(
        order_id=order_id, refund_id=refund_id or ids.new_id(), amount_minor=amount_minor, currency="GBP"
    )


class Books:
    """The provider's and our own books, as anybody may read them."""

    def __init__(self, payments: Database, simulator: Database) -> None:
        self._payments = payments
        self._simulator = simulator

    def facts(self, order_id: str) -> list[Message]:
        """What was told about an order, oldest first."""
        sql = "SELECT payload FROM outbox WHERE key = :order_id ORDER BY id"
        rows = self._payments.read(lambda connection: rows_of(connection, sql, order_id=order_id))
        opened = [open_envelope(bytes(row.payload), _TYPES) for row in rows]
        assert all(fact.traceparent == TRACE for fact in opened)
        return [fact.message for fact in opened if fact.message is not None]

    def told(self, order_id: str) -> list[str]:
        """The names of what was told about an order, oldest first."""
        return [fact.DESCRIPTOR.name for fact in self.facts(order_id)]

    def decided(self, order_id: str) -> list[str]:
        """The same without PaymentStarted, which a busy machine may tell where a quick one does not."""
        return [name for name in self.told(order_id) if name != "PaymentStarted"]

    def status(self, order_id: str) -> str | None:
        """Where the payment of an order stands."""
        shown = self._payments.read(lambda connection: list_payments(connection, order_id))
        return shown[0].payment.status if shown else None

    def attempts(self, order_id: str) -> list[tuple[str, str]]:
        """What was asked for an order, and with what outcome."""
        shown = self._payments.read(lambda connection: list_payments(connection, order_id))
        return [(attempt.kind, attempt.outcome) for attempt in shown[0].payment.attempts]

    def open_calls(self) -> int:
        """Calls that have not come to their end."""
        return int(self._payments.read(lambda connection: rows_of(connection, "SELECT count(*) FROM calls"))[0][0])

    def entries(self, order_id: str) -> list[str]:
        """What the provider did for an order: captured, declined, voided."""
        sql = "SELECT outcome FROM entries WHERE order_id = CAST(:order_id AS uuid) ORDER BY effective_at"
        return [row.outcome for row in self._simulator.read(lambda c: rows_of(c, sql, order_id=order_id))]


class Desk:
    """One instance of the payment service, without broker and server."""

    def __init__(
        self, urls: Mapping[str, str], policy: Policy, in_flight: int = 64, provider: PaymentProvider | None = None
    ) -> None:
        self.database = Database(urls["payments"], schema="payments", application_name="payments-tests")
        self.simulator = Database(urls[SCHEMA], schema=SCHEMA, application_name="simulator-tests", pool_size=2)
        self.books = Books(self.database, self.simulator)
        self.simulated = SimulatedProvider(Journal(self.simulator, CALM))
        asked = provider or self.simulated
        self.calls = ProviderCalls(self.database, asked, policy, in_flight=in_flight, wake_relay=lambda: None)
        room = PaymentRoom(self.calls.payments, lambda: None)
        self.folding = Folding(self.database, "payments", "payments", HANDLERS, room)

    def open(self) -> "Desk":
        """Begin to ask the provider."""
        self.simulated.start()
        self.calls.engine.start()
        return self

    def close(self) -> None:
        """End in order."""
        self.calls.engine.stop()
        self.simulated.stop()
        self.database.close()
        self.simulator.close()

    def parked(self) -> list[str]:
        """Why requests are parked."""
        return [row.reason for row in self.database.read(lambda c: rows_of(c, "SELECT reason FROM dead_letters"))]

    def lose_calls(self) -> None:
        """As if the process that was to make the calls had died, and their leases had run out."""
        sql = "UPDATE calls SET leased_until = now() - interval '1 s', lease_owner = 'somebody', due_at = now()"
        self.database.write(lambda connection: run_sql(connection, sql))

    def hear(self, *messages: Message) -> list[bytes]:
        """Take messages in as one poll; what was taken in, so that it can be delivered again."""
        records = [sealed(message) for message in messages]
        self.hear_again(records)
        return records

    def hear_again(self, records: Sequence[bytes]) -> None:
        """Take records in, whether they were heard before or not."""
        self.folding.apply(
            [self.folding.decode("payments.requests", 0, next(_OFFSETS), b"", record) for record in records]
        )


def sealed(message: Any) -> bytes:
    """A message as it stands in a record of its topic."""
    return seal(Outgoing("payments.requests", message.order_id, message, 1, TRACE), "orders", clock.now())


def an_order() -> str:
    """An order nobody has heard of."""
    return ids.new_id()
