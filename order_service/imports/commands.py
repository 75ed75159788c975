"""What may be asked of imports, and the steps by which one goes on: each is one transaction, and may be repeated."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from chassis import audit, clock, ids, tracing
from chassis.access.caller import current
from chassis.database import Database
from chassis.errors import Refusal, Unavailable
from chassis.failpoints import failpoint
from chassis.logs import get_logger
from order_service.commands import IMPORT, OPERATOR, PlaceOrder, Placing
from order_service.domain import Line, Wanted
from order_service.imports import repository
from order_service.imports.domain import (
    AcceptedInvoice,
    Identity,
    ImportedOrder,
    ImportNotCancellable,
    ImportNotResumable,
    ImportSpec,
    ImportStatus,
    StagedRow,
    UnusableFile,
    UploadBrokeOff,
    identity_key,
    judge_invoice,
    other_content,
    sort_out,
)
from order_service.imports.ports import FileReader, Products
from order_service.imports.repository import FoundImport

_GIVEN_UP: Final = "The import was cancelled or given up before its file was whole; nothing was placed."

log = get_logger(__name__)

STAGE_ROWS: Final = 10_000
"""Rows of a transaction that stages: short ones, for a long one would hold up every reader of committed rows."""
CHECK_ROWS: Final = 20_000
"""Rows of a transaction that checks."""
PLACE_ORDERS: Final = 100
PLACE_LINES: Final = 5_000
"""Orders and lines of a transaction that places."""
SETTLE_ORDERS: Final = 10_000
"""Orders of a transaction that notes which have ended."""
UPLOAD_SILENCE: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=7)
"""How long rejects, demand, and what a cancelled import needs to be resumed, are kept."""


def take_file(
    database: Database, read: FileReader, spec: ImportSpec, chunks: Iterable[bytes], *, max_bytes: int, currency: str
) -> str:
    """Stage the whole file and return the id of its import; a file that is none is refused, and nothing of it stays."""
    import_id = ids.new_id()
    trace = tracing.current.get()
    database.write(lambda connection: repository.create(connection, import_id, spec, currency, trace))
    try:
        rows = read(chunks, gzip=spec.gzip, max_bytes=max_bytes, currency=currency)
        _stage(database, import_id, rows)
    except Refusal as refusal:
        sentence = refusal.message
        database.write(lambda connection: repository.refuse(connection, import_id, sentence))
        raise
    return import_id


def _stage(database: Database, import_id: str, rows: Iterator[StagedRow]) -> None:
    staged = 0
    while piece := list(islice(rows, STAGE_ROWS)):
        if not database.write(_appending(import_id, staged, piece)):
            raise UploadBrokeOff(_GIVEN_UP)
        staged += len(piece)
        failpoint("orders.imports.after_piece")
    if not staged:
        raise UnusableFile("The file holds no orders: there is nothing behind its first line.")
    failpoint("orders.imports.before_staged")
    database.write(lambda connection: _finish_staging(connection, import_id))
    failpoint("orders.imports.after_staging")


def _appending(import_id: str, staged: int, piece: Sequence[StagedRow]) -> Callable[[Connection], bool]:
    return lambda connection: repository.append_rows(connection, import_id, staged, piece)


def _finish_staging(connection: Connection, import_id: str) -> None:
    found = repository.find(connection, import_id, lock=True)
    if found.status is ImportStatus.REFUSED:
        raise UploadBrokeOff(_GIVEN_UP)
    if found.status is ImportStatus.STAGING:
        repository.move(connection, import_id, ImportStatus.CHECKING)
        # Whose upload it is is known in its thread, as its trace is.
        _note(connection, "import_orders", found, current.get().actor)


@dataclass(frozen=True, slots=True)
class _Range:
    """Invoices of an import that are checked together."""

    after: str | None
    up_to: str | None
    judged: Mapping[str, AcceptedInvoice | str]

    @property
    def skus(self) -> list[str]:
        accepted = (found for found in self.judged.values() if isinstance(found, AcceptedInvoice))
        return sorted({row.sku for found in accepted for row in found.rows})


def check_next(database: Database, products: Products, import_id: str) -> bool:
    """Check the next rows of a staged file; behind the last of them the import goes on to placing, or is done."""
    some = database.read(lambda connection: _next_range(connection, import_id))
    active = products.activity_of(some.skus) if some.skus else {}
    failpoint("orders.imports.before_check")
    database.write(lambda connection: _check(connection, import_id, some, active))
    failpoint("orders.imports.after_check")
    return True


def _next_range(connection: Connection, import_id: str) -> _Range:
    found = repository.find(connection, import_id)
    up_to = repository.range_end(connection, found, CHECK_ROWS)
    if up_to is None:
        return _Range(found.checked_up_to, None, {})
    rows = repository.unchecked_rows(connection, found, up_to)
    return _Range(found.checked_up_to, up_to, {invoice: judge_invoice(invoice, group) for invoice, group in rows})


def _check(connection: Connection, import_id: str, some: _Range, active: Mapping[str, bool]) -> None:
    found = repository.find(connection, import_id, lock=True)
    if found.status is not ImportStatus.CHECKING or found.checked_up_to != some.after:
        return  # somebody was quicker, or it was cancelled
    if some.up_to is None:
        repository.move(connection, import_id, ImportStatus.CHECKED if found.dry_run else ImportStatus.PLACING)
        return
    known = repository.identities_of(connection, found.source, list(some.judged))
    verdicts = sort_out(some.judged, known, active)
    if found.dry_run:
        repository.add_demand(connection, import_id, _demand(some.judged))
    else:
        repository.add_orders(connection, import_id, verdicts.accepted, known)
    repository.note_checked(
        connection, import_id, some.up_to,
        orders=len(verdicts.accepted),
        known=sum(accepted.invoice in known for accepted in verdicts.accepted),
        rejected=len(verdicts.rejected),
        rejected_rows=repository.add_rejects(connection, found, some.up_to, verdicts.rejected, verdicts.row_reasons),
    )  # fmt: skip


def _demand(judged: Mapping[str, AcceptedInvoice | str]) -> Mapping[str, Line]:
    """Pieces by SKU of all that the file's own rules accept, whether the products exist yet or not."""
    demand: dict[str, Line] = {}
    for found in judged.values():
        for line in found.lines if isinstance(found, AcceptedInvoice) else ():
            before = demand.get(line.sku)
            demand[line.sku] = line if before is None else line._replace(quantity=before.quantity + line.quantity)
    return demand


def place_next(database: Database, placing: Placing, import_id: str, in_flight: int) -> int | None:
    """Place the next orders while fewer than `in_flight` are unfinished; how many, None when there was no room."""
    placed = database.write(lambda connection: _place(connection, placing, import_id, in_flight))
    failpoint("orders.imports.after_place")
    return placed


def _place(connection: Connection, placing: Placing, import_id: str, in_flight: int) -> int | None:
    found = repository.find(connection, import_id, lock=True)
    if found.status is not ImportStatus.PLACING:
        return None
    room = in_flight - repository.settle(connection, import_id, SETTLE_ORDERS)
    if room < min(PLACE_ORDERS, in_flight):
        return None  # a few orders at a time would cost as much as many
    waiting = repository.next_to_place(connection, import_id, min(room, PLACE_ORDERS), PLACE_LINES)
    if not waiting:
        repository.move(connection, import_id, ImportStatus.SETTLING)
        return 0
    failpoint("orders.imports.before_place")
    placed = _place_waiting(connection, placing, found, waiting)
    failpoint("orders.imports.before_commit")
    return placed


def _place_waiting(
    connection: Connection, placing: Placing, found: FoundImport, waiting: Sequence[ImportedOrder]
) -> int:
    """Identity once more, for another import of the same source may have been quicker; then the parent's own rules.

    How many orders are new.
    """
    known = repository.identities_of(connection, found.source, [order.invoice for order in waiting])
    fresh = [order for order in waiting if order.invoice not in known]
    results = placing.place_orders(connection, [_command_of(order, found) for order in fresh])
    placed: dict[str, Identity] = {}
    rejected: dict[str, str] = {}
    for order, result in zip(fresh, results, strict=True):
        if isinstance(result, Unavailable):
            raise result  # later, then: that is no reason to reject an order
        if isinstance(result, Refusal):
            rejected[order.invoice] = result.message
        else:
            placed[order.invoice] = Identity(result.shown.standing.id, order.fingerprint)
    for order in waiting:
        if (before := known.get(order.invoice)) is not None and before.fingerprint != order.fingerprint:
            rejected[order.invoice] = other_content(before.order_id)
    again = {invoice: before for invoice, before in known.items() if invoice not in rejected}
    repository.add_identities(connection, found.source, placed)
    repository.note_placed(connection, found.id, placed | again, known=len(again))
    if rejected:
        repository.reject_waiting(connection, found.id, rejected)
    return sum(not isinstance(result, Refusal) and not result.is_replayed for result in results)


def _command_of(order: ImportedOrder, found: FoundImport) -> PlaceOrder:
    return PlaceOrder(
        id=ids.new_id(),
        customer_id=order.customer_id,
        idempotency_key=identity_key(found.source, order.invoice),
        fingerprint=bytes.fromhex(order.fingerprint),
        wanted=[Wanted(line.sku, line.quantity) for line in order.lines],
        external_ref=order.invoice,
        metadata={"source": found.source} | ({"country": order.country} if order.country else {}),
        traceparent=tracing.child_of(found.traceparent),
        actor=IMPORT,
        placed_at=order.placed_at,
        priced_lines=order.lines,
    )


def settle(database: Database, import_id: str) -> bool:
    """Count what has ended; with the last one the import is done. False when there is nothing more to do yet."""
    has_ended = database.write(lambda connection: _settle(connection, import_id))
    failpoint("orders.imports.after_settle")
    if has_ended:
        log.info("import done", import_id=import_id)
    return has_ended


def _settle(connection: Connection, import_id: str) -> bool:
    found = repository.find(connection, import_id, lock=True)
    if found.status is not ImportStatus.SETTLING or repository.settle(connection, import_id, SETTLE_ORDERS):
        return False
    failpoint("orders.imports.before_settled")
    repository.move(connection, import_id, ImportStatus.DONE)
    return True


def cancel_import(connection: Connection, import_id: str, actor: str = OPERATOR) -> None:
    """Place no more of it; what was placed stays. Raises ImportNotCancellable once all of it is placed."""
    found = repository.find(connection, import_id, lock=True)
    match found.status:
        case ImportStatus.CANCELLED:
            return
        case ImportStatus.STAGING:
            repository.refuse(connection, import_id, "It was cancelled before the file was whole.")
        case ImportStatus.CHECKING | ImportStatus.PLACING:
            repository.move(connection, import_id, ImportStatus.CANCELLED)
        case status:
            raise ImportNotCancellable(f"import {import_id} is {status}: there is nothing left to cancel")
    _note(connection, "cancel_import", found, actor)


def resume_import(connection: Connection, import_id: str, actor: str = OPERATOR) -> None:
    """Go on where it stopped; nothing to do for one that is under way or done."""
    found = repository.find(connection, import_id, lock=True)
    match found.status:
        case ImportStatus.CANCELLED if found.finished_at is not None and found.finished_at < clock.now() - KEPT:
            raise ImportNotResumable(f"import {import_id} was cancelled too long ago; import the file again")
        case ImportStatus.CANCELLED:
            repository.move(connection, import_id, ImportStatus.CHECKING)
            _note(connection, "resume_import", found, actor)
        case ImportStatus.REFUSED | ImportStatus.STAGING:
            raise ImportNotResumable(f"import {import_id} is {found.status}: its file is not whole; import it again")


def _note(connection: Connection, action: str, found: FoundImport, actor: str) -> None:
    details = {"source": found.source, "dry_run": found.dry_run}
    audit.note(connection, actor=actor, action=action, subject=found.id, details=details)


def tidy(database: Database) -> None:
    """Give up uploads that fell silent, and drop what ended imports have left behind."""
    for import_id in database.read(lambda c: repository.silent_uploads(c, clock.now() - UPLOAD_SILENCE)):
        database.write(_giving_up(import_id))
    while database.write(lambda c: repository.forget(c, clock.now() - KEPT, SETTLE_ORDERS)):
        pass


def _giving_up(import_id: str) -> Callable[[Connection], None]:
    return lambda connection: repository.refuse(connection, import_id, "The upload broke off; nothing was placed.")
