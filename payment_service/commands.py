"""What may be asked of a payment from outside: an operator's word that ends it, and the provider's own, unasked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection

from chassis import audit, clock, tracing
from chassis.database import Database
from chassis.errors import NotFound
from chassis.failpoints import failpoint
from payment_service import queries, repository
from payment_service.domain import Difference, Noticed, Payment, Policy, Refund, Settlement
from payment_service.ports import Notice
from payment_service.queries import Shown
from payment_service.repository import Loaded, Payments

_OPERATOR: Final = "operator"

T = TypeVar("T")


class SettlePayment(NamedTuple):
    """Asks to end a payment, or a refund of it, by what an operator has found out; `evidence` is kept in the audit."""

    payment_id: str
    settlement: Settlement
    evidence: str
    provider_reference: str = ""
    refund_id: str = ""


class RefundNotFound(NotFound):
    """The payment has no such refund."""


class PaymentDesk:
    """Carries out what is asked of single payments, each in a transaction of its own."""

    def __init__(self, database: Database, payments: Payments, policy: Policy, wake_relay: Callable[[], None]) -> None:
        self._database = database
        self._payments = payments
        self._policy = policy
        self._wake_relay = wake_relay

    async def settle(self, command: SettlePayment) -> Shown:
        """The payment as it is then. Raises PaymentNotFound, RefundNotFound, PaymentNotSettleable."""

        def change(connection: Connection, payment: Payment, loaded: Loaded) -> None:
            before = payment.status
            if command.refund_id:
                self._refund_of(connection, payment, loaded, command.refund_id).settle(command.settlement)
            else:
                payment.settle(command.settlement, command.provider_reference, loaded.at)
            details = {
                "order_id": payment.order_id,
                "from": before,
                "outcome": command.settlement,
                "evidence": command.evidence,
                "provider_reference": command.provider_reference,
                "refund_id": command.refund_id,
            }
            audit.note(
                connection, actor=_OPERATOR, action="settle_payment", subject=command.payment_id, details=details
            )

        await self._change(command.payment_id, change)
        return await self._database.aread(lambda connection: queries.get_payment(connection, command.payment_id))

    def _refund_of(self, connection: Connection, payment: Payment, loaded: Loaded, refund_id: str) -> Refund:
        self._payments.add_refunds(connection, loaded, [payment.order_id])
        if (refund := loaded.refunds.get(refund_id.lower())) is None:
            raise RefundNotFound(f"payment {payment.id} has no refund {refund_id}")
        return refund

    async def notice(self, notice: Notice) -> Noticed:
        """What became of what the provider has told unasked. Raises PaymentNotFound."""

        def change(_: Connection, payment: Payment, loaded: Loaded) -> Noticed:
            return payment.take_notice(notice.said, loaded.at, self._policy)

        return await self._change(notice.key, change)

    async def _change(self, payment_id: str, change: Callable[[Connection, Payment, Loaded], T]) -> T:
        def work(connection: Connection) -> tuple[Loaded, T]:
            order_id = queries.order_of(connection, payment_id)
            loaded = self._payments.load(connection, [order_id])
            loaded.traces[order_id] = tracing.current.get()
            result = change(connection, loaded.payments[order_id], loaded)
            self._payments.save(connection, loaded)
            failpoint("payments.command.before_commit")
            return loaded, result

        # With the caller's trace, which a database's own threads do not know.
        loaded, result = await asyncio.to_thread(self._database.write, work)
        self._payments.committed(loaded)
        self._wake_relay()
        return result


def note_differences(
    connection: Connection, found: Sequence[Difference], looked_at: Sequence[str], grace_seconds: float
) -> list[Difference]:
    """Keep what differs of the payments looked at and forget what does no more; those that are told only now.

    A difference is told when it has lasted for `grace_seconds`: money on its way is no difference.
    """
    repository.forget_differences(connection, looked_at, [difference.payment_id for difference in found])
    repository.keep_differences(connection, found, clock.now())
    told = repository.tell_differences(connection, grace_seconds)
    failpoint("payments.differences.before_commit")
    return told
