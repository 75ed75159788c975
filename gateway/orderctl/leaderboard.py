"""Who spent most, what sold best, and counting all of it anew."""

import time
from typing import Final

import click

from gateway.orderctl.session import Refused, Session, Verbs, verb
from protos.orders.v1 import reports_pb2 as pb

_LOOK_SECONDS: Final = 0.2
_limit: Final = click.option(
    "--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="At most so many."
)


@click.group(cls=Verbs)
def leaderboard() -> None:
    """Customers by what they spent, products by what was sold; completed orders, net of refunds."""


@leaderboard.command()
@_limit
@verb
def customers(session: Session, limit: int) -> None:
    """The customers who spent most."""
    reports = session.client.reports
    found = reports.ask(reports.rpc.ListCustomerRanks, pb.ListCustomerRanksRequest(limit=limit))
    session.output.rows(found.customers, ("rank", "customer_id", "spent", "currency", "orders"))


@leaderboard.command("products")
@click.option("--by", type=click.Choice(["units", "revenue"]), default="units", show_default=True, help="What counts.")
@_limit
@verb
def products_by(session: Session, by: str, limit: int) -> None:
    """The products that sold best."""
    reports = session.client.reports
    found = reports.ask(reports.rpc.ListProductRanks, pb.ListProductRanksRequest(by=by, limit=limit))
    session.output.rows(found.products, ("rank", "sku", "name", "units", "revenue", "currency"))


@leaderboard.command()
@click.argument("customer_id")
@verb
def rank(session: Session, customer_id: str) -> None:
    """Where a customer stands."""
    reports = session.client.reports
    request = pb.GetCustomerRankRequest(customer_id=customer_id)
    session.output.one(reports.ask(reports.rpc.GetCustomerRank, request))


@click.command()
@click.option("--wait/--no-wait", default=True, help="Return when it is done.  [default: wait]")
@click.option("--seconds", type=click.IntRange(1), default=3_600, show_default=True, help="Wait for at most so long.")
@verb
def rebuild(session: Session, wait: bool, seconds: int) -> None:
    """Count all orders anew and fill the leaderboards from that, while orders flow."""
    reports = session.client.reports
    state = reports.ask(reports.rpc.RebuildReports, pb.RebuildReportsRequest())
    end = time.monotonic() + seconds
    with session.output.progress() as progress:
        progress.add_task("Counting", total=None)
        while wait and state.running and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
            state = reports.ask(reports.rpc.GetRebuild, pb.GetRebuildRequest())
    session.output.one(state)
    if wait and state.running:
        raise Refused("The rebuild is not done yet; it goes on by itself.")
