"""Imports that were made: list, show, resume, cancel."""

import click

from gateway.orderctl.session import Session, Verbs, verb
from protos.orders.v1 import imports_pb2 as pb

_COLUMNS = ("id", "source", "status", "rows", "orders", "terminal_orders", "rejected_orders", "created_at")


@click.group(cls=Verbs)
def imports() -> None:
    """Files of orders that were imported."""


@imports.command("list")
@click.option("--limit", type=click.IntRange(1, 100), default=15, show_default=True, help="At most so many.")
@verb
def list_imports(session: Session, limit: int) -> None:
    """List imports, newest first."""
    service = session.client.imports
    session.output.rows(service.ask(service.rpc.ListImports, pb.ListImportsRequest(page_size=limit)).imports, _COLUMNS)


@imports.command()
@click.argument("import_id")
@verb
def show(session: Session, import_id: str) -> None:
    """Show one import and how far it is."""
    service = session.client.imports
    session.output.one(service.ask(service.rpc.GetImport, pb.GetImportRequest(import_id=import_id)))


@imports.command()
@click.argument("import_id")
@verb
def resume(session: Session, import_id: str) -> None:
    """Go on with an import that stopped; needs no file."""
    service = session.client.imports
    session.output.one(service.ask(service.rpc.ResumeImport, pb.ResumeImportRequest(import_id=import_id)))


@imports.command()
@click.argument("import_id")
@verb
def cancel(session: Session, import_id: str) -> None:
    """Place no more of an import; what was placed stays."""
    service = session.client.imports
    session.output.one(service.ask(service.rpc.CancelImport, pb.CancelImportRequest(import_id=import_id)))
