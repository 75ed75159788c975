"""Orders that wait for too long: list them, ask again on their behalf."""

from typing import Final

import click

from gateway.orderctl.session import Session, Verbs, verb
from protos.orders.v1 import stuck_pb2 as pb

_COLUMNS: Final = ("order_id", "status", "attention", "waiting_since", "requests_sent", "next_try_at", "reason")
_PAGE: Final = 100


@click.group(cls=Verbs)
def stuck() -> None:
    """Orders that stay where they stand for longer than allowed."""


@stuck.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@verb
def list_stuck(session: Session, limit: int) -> None:
    """List stuck orders, newest first, with the reason and the time of the next try."""
    service = session.client.stuck_orders
    request = pb.ListStuckOrdersRequest()
    found: list[pb.StuckOrder] = []
    while len(found) < limit:
        request.page_size = min(_PAGE, limit - len(found))
        page = service.ask(service.rpc.ListStuckOrders, request)
        found.extend(page.stuck_orders)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    session.output.rows(found, _COLUMNS)


@stuck.command()
@click.argument("order_id")
@verb
def resume(session: Session, order_id: str) -> None:
    """Send what an order waits for an answer to once more, now; it is written down."""
    service = session.client.stuck_orders
    answer = service.ask(service.rpc.ResumeOrder, pb.ResumeOrderRequest(order_id=order_id))
    session.output.one(answer, ("id", "status", "payment_status", "attention", "next_try_at"))
