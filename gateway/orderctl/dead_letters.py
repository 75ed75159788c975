"""Messages that could not be applied: list them, apply them again."""

from collections.abc import Sequence
from typing import Final

import click

from gateway.client import CallFailed
from gateway.orderctl.session import Refused, Session, Verbs, verb
from protos.operations.v1 import operations_pb2 as pb

CONTEXTS: Final = ("orders", "inventory", "suppliers", "payments")
_COLUMNS: Final = ("service", "id", "type", "key", "reason", "attempts", "next_try_at", "error")


@click.group("dead-letters", cls=Verbs)
def dead_letters() -> None:
    """Messages that could not be applied."""


@dead_letters.command("list")
@click.option("--service", type=click.Choice(CONTEXTS), help="Only of this service.")
@click.option("--type", "type_", default="", help="Only of this type.")
@click.option("--order", default="", help="Only of this order.")
@verb
def list_dead_letters(session: Session, service: str | None, type_: str, order: str) -> None:
    """List dead letters, newest first, the newest 100 of each service."""
    found: list[pb.DeadLetter] = []
    silent: list[str] = []
    for context in (service,) if service else CONTEXTS:
        operations = session.client.operations(context)
        try:
            request = pb.ListDeadLettersRequest(type=type_, order_id=order)
            found.extend(operations.ask(operations.rpc.ListDeadLetters, request).dead_letters)
        except CallFailed as failed:
            if service or not failed.may_come_back:
                raise
            silent.append(context)
            click.echo(str(failed), err=True)
    found.sort(key=lambda letter: letter.parked_at.ToNanoseconds(), reverse=True)
    session.output.rows(found, _COLUMNS, unreachable=silent)
    if silent:
        raise Refused(f"{', '.join(silent)}: cannot be reached")


@dead_letters.command()
@click.option("--service", type=click.Choice(CONTEXTS), required=True, help="Whose.")
@click.option("--id", "ids", multiple=True, help="Only these; may be repeated.")
@click.option("--type", "type_", default="", help="Only of this type.")
@click.option("--order", default="", help="Only of this order.")
@click.option("--dry-run", is_flag=True, help="Only say which would be applied.")
@verb
def replay(session: Session, service: str, ids: Sequence[str], type_: str, order: str, dry_run: bool) -> None:
    """Apply dead letters again, each key in the order they came; all of the service where nothing narrows it down."""
    operations = session.client.operations(service)
    request = pb.ReplayDeadLettersRequest(
        service=service, filter=pb.DeadLetterFilter(ids=ids, type=type_, order_id=order), dry_run=dry_run
    )
    answer = operations.ask(operations.rpc.ReplayDeadLetters, request, seconds=60)
    if session.output.is_json:
        session.output.one(answer)
        return
    session.output.rows(answer.dead_letters, _COLUMNS)
    session.output.say(f"{answer.matched} found, {answer.replayed} applied, {answer.still_parked} still parked")
