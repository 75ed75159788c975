"""Figures of completed orders by the UTC day they were placed."""

import click

from gateway.orderctl.session import Session, Verbs, verb
from protos.orders.v1 import reports_pb2 as pb


@click.group(cls=Verbs)
def kpis() -> None:
    """Revenue, orders, average order value, customers."""


@kpis.command()
@click.option("--date", default="", help="YYYY-MM-DD in UTC.  [default: today]")
@verb
def daily(session: Session, date: str) -> None:
    """The figures of one day."""
    reports = session.client.reports
    session.output.one(reports.ask(reports.rpc.GetDailyKpis, pb.GetDailyKpisRequest(date=date)))


@kpis.command("range")
@click.option("--from", "first", default="", help="First day, YYYY-MM-DD.  [default: today]")
@click.option("--to", "last", default="", help="Last day, inclusive.  [default: today]")
@verb
def of_range(session: Session, first: str, last: str) -> None:
    """The figures of several days together."""
    reports = session.client.reports
    request = pb.GetRangeKpisRequest(**{"from": first}, to=last)
    session.output.one(reports.ask(reports.rpc.GetRangeKpis, request))


@kpis.command()
@verb
def realtime(session: Session) -> None:
    """How things stand: orders by status, and the last minutes."""
    reports = session.client.reports
    present = reports.ask(reports.rpc.GetRealtimeKpis, pb.GetRealtimeKpisRequest())
    if session.output.is_json:
        session.output.one(present)
        return
    session.output.rows(present.statuses, ("status", "orders"))
    session.output.say("")
    session.output.rows(present.minutes, ("minute", "orders", "completed"))
