"""Handing a file of orders to the order service, and waiting for what becomes of it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from rich.progress import DownloadColumn, Progress, TaskID

from gateway.client import CallFailed, Client
from gateway.orderctl.output import Output
from protos.orders.v1 import imports_pb2 as pb

CHUNK_BYTES: Final = 256 << 10
UPLOAD_SECONDS: Final = 6 * 3600.0
LOOK_EVERY_SECONDS: Final = 0.1
AGAIN_AFTER_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 60.0
"""How long a service may be away while an import is waited for."""

_CHECKED: Final = frozenset({
    pb.IMPORT_STATUS_PLACING, pb.IMPORT_STATUS_SETTLING, pb.IMPORT_STATUS_DONE, pb.IMPORT_STATUS_CHECKED,
    pb.IMPORT_STATUS_REFUSED, pb.IMPORT_STATUS_CANCELLED,
})  # fmt: skip
_ENDED: Final = _CHECKED - {pb.IMPORT_STATUS_PLACING, pb.IMPORT_STATUS_SETTLING}


def source_of(file: Path) -> str:
    """The default source of a file: its name without extensions."""
    return file.name.removesuffix(".gz").removesuffix(".csv") or file.name


def upload(client: Client, output: Output, file: Path, source: str, *, dry_run: bool) -> pb.Import:
    """Hand the whole file over, once more when the service went away meanwhile: a file taken twice is placed once.

    Raises CallFailed when it is refused, or when the service is not there.
    """
    imports = client.imports
    imports.ask(imports.rpc.ListImports, pb.ListImportsRequest(page_size=1))  # who is not there at all is told at once
    spec = pb.ImportSpec(source=source, dry_run=dry_run, gzip=file.name.endswith(".gz"))
    tries_until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _upload(client, output, file, spec)
        except CallFailed as failed:
            if not failed.may_come_back or time.monotonic() > tries_until:
                raise
        time.sleep(AGAIN_AFTER_SECONDS)


def _upload(client: Client, output: Output, file: Path, spec: pb.ImportSpec) -> pb.Import:
    imports = client.imports
    with file.open("rb") as stream, output.progress(DownloadColumn()) as progress:
        task = progress.add_task("taking the file", total=file.stat().st_size)
        return imports.send(imports.rpc.CreateImport, _messages(spec, stream, progress, task), UPLOAD_SECONDS)


def _messages(
    spec: pb.ImportSpec, stream: BinaryIO, progress: Progress, task: TaskID
) -> Iterator[pb.CreateImportRequest]:
    yield pb.CreateImportRequest(spec=spec)
    while chunk := stream.read(CHUNK_BYTES):
        yield pb.CreateImportRequest(chunk=chunk)
        progress.advance(task, len(chunk))
    yield pb.CreateImportRequest(complete=True)


def until_checked(client: Client, found: pb.Import, told: Callable[[pb.Import], None]) -> pb.Import:
    """The import once all its rows are checked."""
    return _until(client, found, _CHECKED, told)


def until_ended(client: Client, found: pb.Import, told: Callable[[pb.Import], None]) -> pb.Import:
    """The import once all its orders have ended, or it was cancelled."""
    return _until(client, found, _ENDED, told)


def _until(
    client: Client, found: pb.Import, statuses: frozenset[pb.ImportStatus], told: Callable[[pb.Import], None]
) -> pb.Import:
    """Asks again and again, and bears a service that is restarted meanwhile. Raises CallFailed when it stays away."""
    imports = client.imports
    answered_at = time.monotonic()
    while found.status not in statuses:
        time.sleep(LOOK_EVERY_SECONDS)
        try:
            found = imports.ask(imports.rpc.GetImport, pb.GetImportRequest(import_id=found.id))
            answered_at = time.monotonic()
        except CallFailed as failed:
            if not failed.may_come_back or time.monotonic() - answered_at > PATIENCE_SECONDS:
                raise
        told(found)
    return found
