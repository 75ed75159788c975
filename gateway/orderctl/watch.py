"""What becomes of an order, or of a customer's orders, line by line as it happens."""

from typing import Final

import click

from gateway.client.watching import ALL
from gateway.client.watching import watch as follow
from gateway.orderctl.output import documents_of
from gateway.orderctl.session import Session, verb
from protos.orders.v1 import orders_pb2 as pb

ENDS: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED", "EXPIRED"})


@click.command()
@click.argument("order_id", required=False)
@click.option("--customer", help="All orders of this customer, from now on.")
@click.option("--after", help="Go on behind the event with this id.")
@verb
def watch(session: Session, order_id: str | None, customer: str | None, after: str | None) -> None:
    """Show what becomes of an order until it has ended, or of a customer's orders until Ctrl-C.

    Of an order, what has been is shown first. Lost connections are made again, and nothing is missed.
    """
    if bool(order_id) is bool(customer):
        raise click.UsageError("Name an order, or --customer.")
    request = pb.WatchOrdersRequest(order_id=order_id, customer_id=customer, last_event_id=after)
    if order_id and not after:
        request.last_event_id = ALL
    for event in follow(session.client.orders, request):
        [document] = documents_of([event])
        if session.output.is_json:
            session.output.json(document)
        else:
            session.output.say("  ".join(str(document[name]) for name in ("at", "order_id", "type", "reason")))
        if order_id and document["status"] in ENDS:
            return
