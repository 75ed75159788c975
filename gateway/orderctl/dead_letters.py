"""Messages that could not be applied: list them, apply them again, give them up; and what was done by hand."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, ParamSpec, TypeVar

import click
from google.protobuf.message import Message

from gateway.client import CallFailed
from gateway.client.service import Service
from gateway.orderctl.session import Refused, Session, Verbs, verb
from protos.operations.v1 import operations_pb2 as pb
from protos.operations.v1.operations_pb2_grpc import OperationsServiceStub

CONTEXTS: Final = ("orders", "inventory", "suppliers", "payments")
_COLUMNS: Final = ("service", "id", "type", "key", "reason", "attempts", "next_try_at", "error")


@click.group("dead-letters", cls=Verbs)
def dead_letters() -> None:
    """Messages that could not be applied."""


@dead_letters.command("list")
@click.option("--service", type=click.Choice(CONTEXTS), help="Only of this service.")
@click.option("--type", "type_", default="", help="Only of this type.")
@click.option("--order", default="", help="Only of this order.")
@click.option("--topic", default="", help="Only from this topic.")
@click.option("--consumer", default="", help="Only of this consumer group.")
@verb
def list_dead_letters(session: Session, service: str | None, type_: str, order: str, topic: str, consumer: str) -> None:
    """List dead letters, newest first, the newest 100 of each service."""
    request = pb.ListDeadLettersRequest(type=type_, order_id=order, topic=topic, consumer=consumer)
    found, silent = _ask_all(
        session, service, lambda operations: operations.ask(operations.rpc.ListDeadLetters, request).dead_letters
    )
    found.sort(key=lambda letter: letter.parked_at.ToNanoseconds(), reverse=True)
    _show(session, found, _COLUMNS, silent)


def _ask_all(
    session: Session, service: str | None, ask: Callable[[Service[OperationsServiceStub]], Iterable[Any]]
) -> tuple[list[Any], list[str]]:
    """What every service answers, or the one that is named; and those that are silent."""
    found: list[Any] = []
    silent: list[str] = []
    for context in (service,) if service else CONTEXTS:
        try:
            found.extend(ask(session.client.operations(context)))
        except CallFailed as failed:
            if service or not failed.may_come_back:
                raise
            silent.append(context)
            click.echo(str(failed), err=True)
    return found, silent


def _show(session: Session, found: Sequence[Message], columns: Sequence[str], silent: Sequence[str]) -> None:
    session.output.rows(found, columns, unreachable=silent)
    if silent:
        raise Refused(f"{', '.join(silent)}: cannot be reached")


P = ParamSpec("P")
R = TypeVar("R")


def _with_filter(verb_: Callable[P, R]) -> Callable[P, R]:
    """The options that say which letters of one service are meant."""
    for option in (
        click.option("--consumer", default="", help="Only of this consumer group."),
        click.option("--topic", default="", help="Only from this topic."),
        click.option("--order", default="", help="Only of this order."),
        click.option("--type", "type_", default="", help="Only of this type."),
        click.option("--id", "ids", multiple=True, help="Only these; may be repeated."),
        click.option("--service", type=click.Choice(CONTEXTS), required=True, help="Whose."),
    ):
        verb_ = option(verb_)
    return verb_


def _filter_of(ids: Sequence[str], type_: str, order: str, topic: str, consumer: str) -> pb.DeadLetterFilter:
    return pb.DeadLetterFilter(ids=ids, type=type_, order_id=order, topic=topic, consumer=consumer)


@dead_letters.command()
@_with_filter
@click.option("--dry-run", is_flag=True, help="Only say which would be applied.")
@verb
def replay(
    session: Session,
    service: str,
    ids: Sequence[str],
    type_: str,
    order: str,
    topic: str,
    consumer: str,
    dry_run: bool,
) -> None:
    """Apply dead letters again, each key in the order they came; all of the service where nothing narrows it down."""
    operations = session.client.operations(service)
    wanted = _filter_of(ids, type_, order, topic, consumer)
    request = pb.ReplayDeadLettersRequest(service=service, filter=wanted, dry_run=dry_run)
    answer = operations.ask(operations.rpc.ReplayDeadLetters, request, seconds=60)
    told = f"{answer.matched} found, {answer.replayed} applied, {answer.still_parked} still parked"
    _show_done(session, answer, told)


@dead_letters.command()
@_with_filter
@click.option("--reason", required=True, help="Why, in your words; it is written down.")
@click.option("--dry-run", is_flag=True, help="Only say which would be given up.")
@verb
def discard(
    session: Session,
    service: str,
    ids: Sequence[str],
    type_: str,
    order: str,
    topic: str,
    consumer: str,
    reason: str,
    dry_run: bool,
) -> None:
    """Give dead letters up for good; what waits behind them goes on."""
    wanted = _filter_of(ids, type_, order, topic, consumer)
    if not dry_run and wanted == pb.DeadLetterFilter():
        raise click.UsageError("Say which ones: --id, --type, --order, --topic or --consumer.")
    operations = session.client.operations(service)
    request = pb.DiscardDeadLettersRequest(service=service, filter=wanted, reason=reason, dry_run=dry_run)
    answer = operations.ask(operations.rpc.DiscardDeadLetters, request, seconds=60)
    _show_done(session, answer, f"{answer.matched} found, {answer.discarded} discarded")


def _show_done(
    session: Session, answer: pb.ReplayDeadLettersResponse | pb.DiscardDeadLettersResponse, told: str
) -> None:
    if session.output.is_json:
        session.output.one(answer)
        return
    session.output.rows(answer.dead_letters, _COLUMNS)
    session.output.say(told)


@click.command()
@click.option("--service", type=click.Choice(CONTEXTS), help="Only in this service.")
@click.option("--subject", default="", help="Only done to this: an order's id, a context.")
@click.option("--action", default="", help="Only of this kind.")
@click.option("--actor", default="", help="Only by whoever is called so, as operator:boss.")
@verb
def audit(session: Session, service: str | None, subject: str, action: str, actor: str) -> None:
    """Show what was done by hand, newest first, the newest 100 of each service."""
    request = pb.ListAuditEntriesRequest(subject=subject, action=action, actor=actor)
    found, silent = _ask_all(
        session, service, lambda operations: operations.ask(operations.rpc.ListAuditEntries, request).entries
    )
    found.sort(key=lambda entry: entry.at.ToNanoseconds(), reverse=True)
    _show(session, found, ("service", "at", "actor", "action", "subject", "details"), silent)
