"""`orderctl import`: a file of orders, from its first byte to the end of its last order."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn

from gateway.client import CallFailed, Client
from gateway.orderctl import upload
from gateway.orderctl.session import Refused, Session, Unusable, verb
from protos.orders.v1 import imports_pb2 as pb

_DOWNLOAD_SECONDS: Final = 600.0


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--source", help="Part of the orders' identity.  [default: the file's name without extensions]")
@click.option("--dry-run", is_flag=True, help="Check the file, place nothing.")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write rejected rows here: line, invoice, reason.",
)
@click.option("--no-wait", is_flag=True, help="Return when the file is taken; its orders are placed all the same.")
@verb
def import_file(
    session: Session, file: Path, source: str | None, dry_run: bool, rejects: Path | None, no_wait: bool
) -> None:
    """Import the orders of FILE (.csv or .csv.gz), and wait until all of them have ended.

    An order is its source and its invoice number: the same file again changes nothing.
    """
    if rejects is not None and not rejects.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {rejects.parent}", param_hint="--rejects")
    began = time.monotonic()
    taken = upload.upload(session.client, session.output, file, source or upload.source_of(file), dry_run=dry_run)
    if no_wait and rejects is None:
        session.output.one(taken) if session.output.is_json else session.output.say(_goes_on(taken))
        return
    checked = _watched(session, taken, upload.until_checked)
    if rejects is not None:
        _download(session.client, checked, rejects)
    ended = checked if no_wait else _watched(session, checked, upload.until_ended)
    _tell(session, ended, time.monotonic() - began)
    if ended.status == pb.IMPORT_STATUS_REFUSED:
        raise Unusable(ended.failure_message)
    if ended.status == pb.IMPORT_STATUS_CANCELLED:
        raise Refused(f"The import was cancelled; `orderctl imports resume {ended.id}` goes on with it.")


def _watched(
    session: Session, found: pb.Import, until: Callable[[Client, pb.Import, Callable[[pb.Import], None]], pb.Import]
) -> pb.Import:
    rate = TextColumn("{task.fields[rate]}")
    with session.output.progress(MofNCompleteColumn(), rate) as progress:
        task = progress.add_task("", total=None, rate="")
        try:
            return until(session.client, found, lambda seen: _show(progress, task, seen))
        except (CallFailed, KeyboardInterrupt) as broken:
            raise Refused(f"{broken or 'Stopped waiting.'} {_goes_on(found)}") from broken


def _show(progress: Progress, task: TaskID, seen: pb.Import) -> None:
    if seen.status == pb.IMPORT_STATUS_CHECKING:
        progress.update(task, description=f"checking {seen.rows:,} rows", total=None)
        return
    left = f", {seen.seconds_left:,.0f} s left" if seen.HasField("seconds_left") else ""
    rate = f"{seen.orders_per_second:,.0f} orders/s{left}"
    told = f"{seen.placed_orders:,} placed, finished"
    progress.update(task, description=told, total=seen.orders, completed=seen.terminal_orders, rate=rate)


def _tell(session: Session, ended: pb.Import, seconds: float) -> None:
    if session.output.is_json:
        session.output.one(ended)
        return
    session.output.say(f"import           {ended.id}, from {ended.source}")
    session.output.say(f"rows             {ended.rows:,}")
    session.output.say(f"accepted         {ended.orders:,} orders, {ended.already_imported:,} of them imported before")
    session.output.say(f"rejected         {ended.rejected_orders:,} orders, {ended.rejected_rows:,} rows")
    if ended.status != pb.IMPORT_STATUS_CHECKED:
        session.output.say(summary(ended, seconds))


def summary(ended: pb.Import, seconds: float) -> str:
    """The last line: `1,400 orders: 1,400 COMPLETED in 3.1 s`."""
    by_status = ", ".join(f"{orders:,} {status}" for status, orders in sorted(ended.orders_by_status.items()))
    return f"{ended.orders:,} orders: {by_status or 'none to place'} in {seconds:.1f} s"


def _download(client: Client, checked: pb.Import, target: Path) -> None:
    """Write the rejected rows; the file is there whole or not at all."""
    imports = client.imports
    request = pb.DownloadRejectsRequest(import_id=checked.id)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            for piece in imports.read(imports.rpc.DownloadRejects, request, _DOWNLOAD_SECONDS):
                file.write(piece.data)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _goes_on(found: pb.Import) -> str:
    return f"Import {found.id} goes on by itself: `orderctl imports show {found.id}` tells how far it is."
