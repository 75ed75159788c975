"""Payments that need a person: end them by what was found out, and see where the provider's books differ from ours."""

from typing import Final

import click

from gateway.orderctl.session import Session, Verbs, verb
from protos.payments.v1 import payments_pb2 as pb

_OUTCOMES: Final = tuple(
    name.removeprefix("SETTLEMENT_OUTCOME_").replace("_", "-").lower() for name in pb.SettlementOutcome.keys()[1:]
)
_SHOWN: Final = ("id", "order_id", "status", "amount", "currency", "captured_amount", "refunded_amount")
_COLUMNS: Final = ("payment_id", "order_id", "found_at", "detail")


@click.group(cls=Verbs)
def payments() -> None:
    """Payments that need a person."""


@payments.command("list")
@click.argument("order_id")
@verb
def list_payments(session: Session, order_id: str) -> None:
    """List the payments of an order, newest first."""
    service = session.client.payments
    found = service.ask(service.rpc.ListPayments, pb.ListPaymentsRequest(order_id=order_id)).payments
    session.output.rows(found, _SHOWN)


@payments.command()
@click.argument("payment_id")
@click.option(
    "--outcome", type=click.Choice(_OUTCOMES, case_sensitive=False), required=True, help="What was found out."
)
@click.option("--evidence", required=True, help="How it is known: who at the provider said so, in which document.")
@click.option("--refund", default=None, help="End this refund of the payment, not the payment itself.")
@click.option("--reference", default="", help="The provider's reference, where there is one.")
@verb
def settle(session: Session, payment_id: str, outcome: str, evidence: str, refund: str | None, reference: str) -> None:
    """End a payment or a refund of which the provider does not tell what became of it; kept in the audit."""
    service = session.client.payments
    name = f"SETTLEMENT_OUTCOME_{outcome.replace('-', '_').upper()}"
    request = pb.SettlePaymentRequest(
        payment_id=payment_id,
        outcome=name,
        evidence=evidence,
        provider_reference=reference,
        refund_id=refund,
    )
    session.output.one(service.ask(service.rpc.SettlePayment, request), _SHOWN)


@payments.command()
@verb
def differences(session: Session) -> None:
    """List what the provider's books and ours do not agree about; there should be nothing."""
    service = session.client.payments
    found = service.ask(service.rpc.ListDifferences, pb.ListDifferencesRequest()).differences
    session.output.rows(found, _COLUMNS)
