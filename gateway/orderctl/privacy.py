"""Customers who want to be forgotten."""

import time
from typing import Final

import click

from gateway.orderctl.session import Session, verb
from protos.orders.v1 import privacy_pb2 as pb

_COLUMNS: Final = ("pseudonym", "status", "orders", "unfinished_orders", "asked_at", "forgotten_at")
_LOOK_SECONDS: Final = 0.5


@click.command()
@click.argument("customer_id")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--no-wait", is_flag=True, help="Return at once.")
@verb
def forget(session: Session, customer_id: str, yes: bool, no_wait: bool) -> None:
    """Forget a customer: a pseudonym takes the place of their id, for good; figures stay. Written down in the audit."""
    if not yes:
        click.confirm(f"Forget the customer {customer_id}? Nothing brings the name back", abort=True)
    service = session.client.privacy
    request = pb.ForgetCustomerRequest(customer_id=customer_id)
    answer = service.ask(service.rpc.ForgetCustomer, request)
    while _may_be_done_soon(answer) and not no_wait:
        time.sleep(_LOOK_SECONDS)
        answer = service.ask(service.rpc.ForgetCustomer, request)
    session.output.one(answer, _COLUMNS)
    if answer.status != pb.FORGETTING_STATUS_FORGOTTEN and not no_wait:
        session.output.say("Orders that have not ended are forgotten when they have.")
        raise click.exceptions.Exit(1)


def _may_be_done_soon(answer: pb.Forgetting) -> bool:
    return answer.status != pb.FORGETTING_STATUS_FORGOTTEN and not answer.unfinished_orders
