"""Orders: place, get, list, cancel, refund, and every step of one."""

from datetime import datetime
from typing import Final
from uuid import uuid4

import click
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.orderctl.session import Session, verb
from protos.orders.v1 import orders_pb2 as pb

_COLUMNS: Final = ("id", "customer_id", "status", "payment_status", "total_amount", "currency", "placed_at")
_STATUSES: Final = tuple(name.removeprefix("ORDER_STATUS_") for name in pb.OrderStatus.keys()[1:])
_PLACE_SECONDS: Final = 35.0
_PAGE: Final = 100


class Item(click.ParamType[pb.CreateOrderItem]):
    """SKU=QUANTITY, or a SKU alone for one piece."""

    name = "sku[=quantity]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> pb.CreateOrderItem:
        if isinstance(value, pb.CreateOrderItem):
            return value
        sku, _, quantity = str(value).rpartition("=") if "=" in str(value) else (str(value), "", "1")
        if not sku or not quantity.isdecimal():
            self.fail(f"{value!r} is not SKU=QUANTITY", param, ctx)
        return pb.CreateOrderItem(sku=sku, quantity=int(quantity))


class Moment(click.ParamType[Timestamp]):
    """An RFC 3339 time, or a date; UTC where no zone is named."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Timestamp:
        if isinstance(value, Timestamp):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2010-12-01 or 2010-12-01T08:26:00Z", param, ctx)
        stamp = Timestamp()
        stamp.FromDatetime(moment)
        return stamp


@click.command()
@click.argument("order_id")
@verb
def get(session: Session, order_id: str) -> None:
    """Show one order."""
    orders = session.client.orders
    session.output.one(orders.ask(orders.rpc.GetOrder, pb.GetOrderRequest(order_id=order_id)))


@click.command("list")
@click.option("--customer", default="", help="Only of this customer.")
@click.option("--status", type=click.Choice(_STATUSES, case_sensitive=False), help="Only in this status.")
@click.option("--sku", default="", help="Only with a line of this product.")
@click.option("--placed-after", type=Moment(), help="Only placed at or after.")
@click.option("--placed-before", type=Moment(), help="Only placed before.")
@click.option("--limit", type=click.IntRange(1), default=15, show_default=True, help="At most so many.")
@verb
def list_orders(
    session: Session,
    customer: str,
    status: str | None,
    sku: str,
    placed_after: Timestamp | None,
    placed_before: Timestamp | None,
    limit: int,
) -> None:
    """List orders, newest first."""
    orders = session.client.orders
    request = pb.ListOrdersRequest(
        customer_id=customer,
        status=f"ORDER_STATUS_{status or 'UNSPECIFIED'}",
        sku=sku,
        placed_after=placed_after,
        placed_before=placed_before,
    )
    found: list[pb.Order] = []
    while len(found) < limit:
        request.page_size = min(_PAGE, limit - len(found))
        page = orders.ask(orders.rpc.ListOrders, request)
        found.extend(page.orders)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    session.output.rows(found, _COLUMNS)


@click.command()
@click.option("--customer", required=True, help="Whose order it is.")
@click.option("--item", "items", type=Item(), multiple=True, required=True, help="What is ordered; may be repeated.")
@click.option("--key", help="Idempotency key: equal keys of a customer name one order.  [default: a new one]")
@click.option(
    "--policy",
    type=click.Choice(["REJECT", "BACKORDER"]),
    default="REJECT",
    show_default=True,
    help="When stock does not suffice.",
)
@click.option("--payment-method", default="", help="How it is paid.  [default: the installation's]")
@click.option("--expected-total", help="Refuse any other total.")
@click.option("--external-ref", help="A reference of your own.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 30),
    default=2.0,
    show_default=True,
    help="Seconds to wait for the decision about its stock.",
)
@verb
def place(
    session: Session,
    customer: str,
    items: tuple[pb.CreateOrderItem, ...],
    key: str | None,
    policy: str,
    payment_method: str,
    expected_total: str | None,
    external_ref: str | None,
    wait: float,
) -> None:
    """Place an order at the catalogue's prices."""
    request = pb.CreateOrderRequest(
        customer_id=customer,
        idempotency_key=key or str(uuid4()),
        items=items,
        stock_policy=f"STOCK_POLICY_{policy}",
        payment_method=payment_method,
        expected_total=expected_total,
        external_ref=external_ref,
        wait_ms=round(wait * 1000),
    )
    orders = session.client.orders
    session.output.one(orders.ask(orders.rpc.CreateOrder, request, seconds=_PLACE_SECONDS))


@click.command()
@click.argument("order_id")
@click.option("--reason", default="", help="Why, in your words.")
@verb
def cancel(session: Session, order_id: str, reason: str) -> None:
    """Cancel an order; CANCELLING while something must still be undone."""
    orders = session.client.orders
    request = pb.CancelOrderRequest(order_id=order_id, reason=reason)
    session.output.one(orders.ask(orders.rpc.CancelOrder, request), ("id", "status", "failure_message", "cancelled_at"))


@click.command()
@click.argument("order_id")
@click.option("--amount", help="How much.  [default: all that is left]")
@click.option("--item", "items", type=Item(), multiple=True, help="What comes back; may be repeated.")
@click.option("--restock", is_flag=True, help="Put it back on the shelf; without --item, everything.")
@click.option("--reason", default="", help="Why, in your words.")
@click.option("--key", help="Idempotency key: equal keys of an order name one refund.  [default: a new one]")
@verb
def refund(
    session: Session,
    order_id: str,
    amount: str | None,
    items: tuple[pb.CreateOrderItem, ...],
    restock: bool,
    reason: str,
    key: str | None,
) -> None:
    """Give money of a completed order back; PENDING until the provider has answered."""
    request = pb.RefundOrderRequest(
        order_id=order_id,
        amount=amount,
        items=[pb.RefundItem(sku=item.sku, quantity=item.quantity) for item in items],
        restock=restock,
        reason=reason,
        idempotency_key=key or str(uuid4()),
    )
    orders = session.client.orders
    session.output.one(orders.ask(orders.rpc.RefundOrder, request))


@click.command()
@click.argument("order_id")
@verb
def timeline(session: Session, order_id: str) -> None:
    """Show every step of an order, oldest first."""
    orders = session.client.orders
    found = orders.ask(orders.rpc.ListOrderTimeline, pb.ListOrderTimelineRequest(order_id=order_id))
    session.output.rows(found.steps, ("version", "from", "to", "reason", "actor", "at", "trace_id"))
