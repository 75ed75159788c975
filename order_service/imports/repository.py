"""All SQL that writes imports: each step may be repeated, and finds its own traces when it is."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chassis import clock
from chassis.database import rows_of, run_sql
from chassis.errors import NotFound
from order_service.domain import Line
from order_service.imports.domain import (
    MAX_LINES,
    AcceptedInvoice,
    Identity,
    ImportedOrder,
    ImportSpec,
    ImportStatus,
    StagedRow,
)

_CREATE: Final = """
INSERT INTO imports (id, source, status, dry_run, currency, traceparent, created_at, touched_at)
VALUES (:id, :source, 'STAGING', :dry_run, :currency, :traceparent, :now, :now) ON CONFLICT (id) DO NOTHING
"""
_COUNT_STAGED: Final = """
UPDATE imports SET rows = :after, touched_at = :now WHERE id = :id AND status = 'STAGING' AND rows = :before RETURNING 1
"""
_IS_STAGED: Final = "SELECT 1 FROM imports WHERE id = :id AND status = 'STAGING' AND rows = :after"
_COPY_ROWS: Final = f"COPY import_rows (import_id, {', '.join(StagedRow._fields)}) FROM STDIN"
_REFUSE: Final = """
UPDATE imports SET status = 'REFUSED', failure_message = :message, touched_at = :now, finished_at = :now
WHERE id = :id AND status = 'STAGING'
"""
_FIND: Final = """
SELECT id, source, status, dry_run, checked_up_to, traceparent, finished_at FROM imports WHERE id = :id
"""
_MOVE: Final = """
UPDATE imports SET status = :status, touched_at = :now,
    placing_since = CASE WHEN :status = 'PLACING' THEN COALESCE(placing_since, :now) ELSE placing_since END,
    finished_at = CASE WHEN :status IN ('DONE', 'CHECKED', 'CANCELLED') THEN CAST(:now AS timestamptz) END
WHERE id = :id
"""
_IDENTITIES: Final = """
SELECT invoice, order_id, fingerprint FROM import_identities
WHERE source = :source AND invoice = ANY(CAST(:invoices AS text[]))
"""
_INSERT_IDENTITIES: Final = """
INSERT INTO import_identities (source, invoice, order_id, fingerprint)
SELECT CAST(:source AS text), new.*
FROM unnest(CAST(:invoices AS text[]), CAST(:order_ids AS uuid[]), CAST(:fingerprints AS text[])) AS new
ON CONFLICT (source, invoice) DO NOTHING
"""
_INVOICE_AT: Final = """
SELECT invoice FROM import_rows WHERE import_id = :id AND invoice >= :first ORDER BY invoice OFFSET :rows LIMIT 1
"""
_LAST_INVOICE: Final = "SELECT max(invoice) AS invoice FROM import_rows WHERE import_id = :id AND invoice >= :first"
_UNCHECKED: Final = f"""
SELECT {", ".join(StagedRow._fields)}
FROM (SELECT *, row_number() OVER (PARTITION BY invoice ORDER BY line) AS place
      FROM import_rows WHERE import_id = :id AND invoice BETWEEN :first AND :up_to) AS staged
WHERE place <= :enough ORDER BY invoice, line
"""
_INSERT_ORDERS: Final = """
INSERT INTO import_orders
    (import_id, invoice, customer_id, country, placed_at, line_count, lines, fingerprint, order_id)
SELECT CAST(:id AS uuid), new.*
FROM unnest(CAST(:invoices AS text[]), CAST(:customers AS text[]), CAST(:countries AS text[]),
            CAST(:dates AS timestamptz[]), CAST(:counts AS integer[]), CAST(:lines AS jsonb[]),
            CAST(:fingerprints AS text[]), CAST(:order_ids AS uuid[])) AS new
"""
# Looked up, not joined: the planner knows nothing yet of rows that were copied a moment ago, and joins them badly.
_INSERT_REJECTS: Final = """
WITH added AS (
    INSERT INTO import_rejects (import_id, line, invoice, reason)
    SELECT import_id, line, invoice,
           COALESCE(reason, CAST(:own AS jsonb) ->> CAST(line AS text), CAST(:verdicts AS jsonb) ->> invoice)
    FROM import_rows WHERE import_id = :id AND invoice BETWEEN :first AND :up_to AND CAST(:verdicts AS jsonb) ? invoice
    RETURNING 1
)
SELECT count(*) AS rows FROM added
"""
_ADD_DEMAND: Final = """
INSERT INTO import_demand AS demand (import_id, sku, name, quantity, unit_price_minor)
SELECT CAST(:id AS uuid), new.*
FROM unnest(CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:quantities AS bigint[]),
            CAST(:prices AS bigint[])) AS new
ON CONFLICT (import_id, sku) DO UPDATE
SET quantity = demand.quantity + excluded.quantity, name = excluded.name, unit_price_minor = excluded.unit_price_minor
"""
_COUNT_CHECKED: Final = """
UPDATE imports SET checked_up_to = :up_to, touched_at = :now, orders = orders + :orders,
    already_imported = already_imported + :known, placed_orders = placed_orders + :known,
    rejected_orders = rejected_orders + :rejected, rejected_rows = rejected_rows + :rejected_rows
WHERE id = :id
"""
_DROP_CHECKED: Final = "DELETE FROM import_rows WHERE import_id = :id AND invoice <= :up_to"
_NEXT_TO_PLACE: Final = """
SELECT invoice, customer_id, country, placed_at, lines, fingerprint
FROM (SELECT *, sum(line_count) OVER (ORDER BY invoice) - line_count AS lines_before
      FROM (SELECT * FROM import_orders WHERE import_id = :id AND order_id IS NULL
            ORDER BY invoice LIMIT :orders) AS next_ones) AS counted
WHERE lines_before < :lines ORDER BY invoice
"""
_NOTE_PLACED: Final = """
UPDATE import_orders SET order_id = placed.order_id, lines = NULL
FROM unnest(CAST(:invoices AS text[]), CAST(:order_ids AS uuid[])) AS placed (invoice, order_id)
WHERE import_id = :id AND import_orders.invoice = placed.invoice
"""
_COUNT_PLACED: Final = """
UPDATE imports SET placed_orders = placed_orders + :placed, already_imported = already_imported + :known,
    touched_at = :now
WHERE id = :id
"""
_REJECT_WAITING: Final = """
WITH dropped AS (
    DELETE FROM import_orders
    USING unnest(CAST(:invoices AS text[]), CAST(:verdicts AS text[])) AS given (invoice, reason)
    WHERE import_id = :id AND import_orders.invoice = given.invoice
    RETURNING import_orders.invoice, import_orders.lines, given.reason
), added AS (
    INSERT INTO import_rejects (import_id, line, invoice, reason)
    SELECT CAST(:id AS uuid), CAST(line ->> -1 AS bigint), invoice, reason
    FROM dropped, jsonb_array_elements(lines) AS line RETURNING 1
)
UPDATE imports SET orders = orders - (SELECT count(*) FROM dropped),
    rejected_orders = rejected_orders + (SELECT count(*) FROM dropped),
    rejected_rows = rejected_rows + (SELECT count(*) FROM added)
WHERE id = :id
"""
# Three statements instead of a join, for the same reason.
_UNENDED: Final = """
SELECT invoice, order_id FROM import_orders
WHERE import_id = :id AND order_id IS NOT NULL ORDER BY order_id LIMIT :at_most
"""
_ENDED: Final = """
SELECT id, status FROM orders
WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED')
"""
_DROP_ENDED: Final = "DELETE FROM import_orders WHERE import_id = :id AND invoice = ANY(CAST(:invoices AS text[]))"
_COUNT_ENDED: Final = """
UPDATE imports SET terminal_orders = terminal_orders + :orders, ended_by_status = ended_by_status || (
        SELECT jsonb_object_agg(key, CAST(value AS bigint) + COALESCE(CAST(ended_by_status ->> key AS bigint), 0))
        FROM jsonb_each_text(CAST(:by_status AS jsonb))),
    touched_at = :now
WHERE id = :id
"""
_UNFINISHED: Final = "SELECT placed_orders - terminal_orders AS orders FROM imports WHERE id = :id"
_SILENT: Final = "SELECT id FROM imports WHERE status = 'STAGING' AND touched_at < :since"
_FORGET: Final = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT part.ctid FROM {table} AS part JOIN imports ON imports.id = part.import_id
    WHERE imports.finished_at < :since LIMIT :at_most))
RETURNING 1
"""
_FORGOTTEN: Final = ("import_rows", "import_orders", "import_demand", "import_rejects")


@dataclass(frozen=True, slots=True)
class FoundImport:
    """What a step has to know of an import."""

    id: str
    source: str
    status: ImportStatus
    dry_run: bool
    checked_up_to: str | None
    traceparent: str
    finished_at: datetime | None


def create(connection: Connection, import_id: str, spec: ImportSpec, currency: str, traceparent: str) -> None:
    """A new import, about to be staged."""
    what = {"source": spec.source, "dry_run": spec.dry_run, "currency": currency, "traceparent": traceparent}
    run_sql(connection, _CREATE, id=import_id, now=clock.now(), **what)


def append_rows(connection: Connection, import_id: str, before: int, rows: Sequence[StagedRow]) -> bool:
    """Stage the rows behind the first `before` ones; False when the import is no longer being staged.

    The number of rows is the natural key: the same piece again, after a commit whose answer was lost, adds nothing.
    """
    after = before + len(rows)
    if not rows_of(connection, _COUNT_STAGED, id=import_id, before=before, after=after, now=clock.now()):
        return bool(rows_of(connection, _IS_STAGED, id=import_id, after=after))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY_ROWS) as copy:
        for row in rows:
            copy.write_row((import_id, *row))
    return True


def refuse(connection: Connection, import_id: str, message: str) -> None:
    """Nothing of this file will be placed; its rows are dropped."""
    run_sql(connection, _REFUSE, id=import_id, message=message, now=clock.now())
    run_sql(connection, "DELETE FROM import_rows WHERE import_id = :id", id=import_id)


def find(connection: Connection, import_id: str, *, lock: bool = False) -> FoundImport:
    """One import; with `lock` no two of its steps overlap. Raises NotFound."""
    rows = rows_of(connection, f"{_FIND} FOR UPDATE" if lock else _FIND, id=import_id)
    if not rows:
        raise NotFound(f"there is no import {import_id}")
    found = rows[0]._asdict()
    return FoundImport(**found | {"status": ImportStatus(found["status"])})


def move(connection: Connection, import_id: str, status: ImportStatus) -> None:
    """The next stage of an import whose row is locked; one that ends there is finished."""
    run_sql(connection, _MOVE, id=import_id, status=status, now=clock.now())


def identities_of(connection: Connection, source: str, invoices: Sequence[str]) -> Mapping[str, Identity]:
    """The invoices of `source` that were imported before."""
    rows = rows_of(connection, _IDENTITIES, source=source, invoices=list(invoices))
    return {row.invoice: Identity(row.order_id, row.fingerprint) for row in rows}


def add_identities(connection: Connection, source: str, placed: Mapping[str, Identity]) -> None:
    """From now on these invoices of `source` are known."""
    run_sql(
        connection,
        _INSERT_IDENTITIES,
        source=source,
        invoices=list(placed),
        order_ids=[identity.order_id for identity in placed.values()],
        fingerprints=[identity.fingerprint for identity in placed.values()],
    )


def range_end(connection: Connection, found: FoundImport, rows: int) -> str | None:
    """The last invoice of the next `rows` unchecked rows or so, for none is torn apart; None when all are checked."""
    first = _first_unchecked(found)
    at = rows_of(connection, _INVOICE_AT, id=found.id, first=first, rows=rows)
    last = at or rows_of(connection, _LAST_INVOICE, id=found.id, first=first)
    invoice: str | None = last[0].invoice
    return invoice


def unchecked_rows(connection: Connection, found: FoundImport, up_to: str) -> Iterator[tuple[str, list[StagedRow]]]:
    """The staged rows up to invoice `up_to`, by invoice; of none more than it takes to see that there are too many."""
    first = _first_unchecked(found)
    rows = rows_of(connection, _UNCHECKED, id=found.id, first=first, up_to=up_to, enough=MAX_LINES + 1)
    for invoice, group in groupby(rows, key=attrgetter("invoice")):
        yield invoice, [StagedRow._make(row) for row in group]


def _first_unchecked(found: FoundImport) -> str:
    """A lower bound, lest queries wade through what was dropped; no invoice contains a control character."""
    return "" if found.checked_up_to is None else f"{found.checked_up_to}\x01"


def add_orders(
    connection: Connection, import_id: str, accepted: Sequence[AcceptedInvoice], known: Mapping[str, Identity]
) -> None:
    """Accepted orders: those known before with their order, the others with all that placing them needs."""
    order_ids = [known[found.invoice].order_id if found.invoice in known else None for found in accepted]
    run_sql(
        connection,
        _INSERT_ORDERS,
        id=import_id,
        invoices=[found.invoice for found in accepted],
        customers=[found.customer_id for found in accepted],
        countries=[found.country for found in accepted],
        dates=[found.placed_at for found in accepted],
        counts=[len(found.rows) for found in accepted],
        lines=[_lines(found) if id_ is None else None for found, id_ in zip(accepted, order_ids, strict=True)],
        fingerprints=[found.fingerprint for found in accepted],
        order_ids=order_ids,
    )


def _lines(found: AcceptedInvoice) -> str:
    """As `next_to_place` and `_REJECT_WAITING` read them: sku, name, quantity, unit price, line of the file."""
    return orjson.dumps([(*line, row.line) for line, row in zip(found.lines, found.rows, strict=True)]).decode()


def add_rejects(
    connection: Connection, found: FoundImport, up_to: str, verdicts: Mapping[str, str], row_reasons: Mapping[int, str]
) -> int:
    """Reject all rows of the invoices in `verdicts` (invoice → why); a row's own reason goes before its invoice's.

    Returns how many rows these are.
    """
    added = rows_of(
        connection,
        _INSERT_REJECTS,
        id=found.id,
        first=_first_unchecked(found),
        up_to=up_to,
        verdicts=orjson.dumps(verdicts).decode(),
        own=orjson.dumps(row_reasons, option=orjson.OPT_NON_STR_KEYS).decode(),
    )
    return int(added[0].rows)


def add_demand(connection: Connection, import_id: str, demand: Mapping[str, Line]) -> None:
    """What a dry run's orders need, by SKU, on top of what was added before; the latest name and price stay."""
    lines = demand.values()
    run_sql(
        connection,
        _ADD_DEMAND,
        id=import_id,
        skus=list(demand),
        names=[line.name for line in lines],
        quantities=[line.quantity for line in lines],
        prices=[line.unit_price_minor for line in lines],
    )


def note_checked(
    connection: Connection, import_id: str, up_to: str, *, orders: int, known: int, rejected: int, rejected_rows: int
) -> None:
    """Count what the invoices up to `up_to` were found to be, and drop their rows."""
    counts = {"orders": orders, "known": known, "rejected": rejected, "rejected_rows": rejected_rows}
    run_sql(connection, _COUNT_CHECKED, id=import_id, up_to=up_to, now=clock.now(), **counts)
    run_sql(connection, _DROP_CHECKED, id=import_id, up_to=up_to)


def next_to_place(connection: Connection, import_id: str, orders: int, lines: int) -> Sequence[ImportedOrder]:
    """The next orders to be placed, at most so many and (beyond the first) with at most so many lines together."""
    rows = rows_of(connection, _NEXT_TO_PLACE, id=import_id, orders=orders, lines=lines)
    return [
        ImportedOrder(
            invoice=row.invoice,
            customer_id=row.customer_id,
            country=row.country,
            placed_at=row.placed_at,
            lines=[Line(*line[:-1]) for line in row.lines],
            fingerprint=row.fingerprint,
        )
        for row in rows
    ]


def note_placed(connection: Connection, import_id: str, placed: Mapping[str, Identity], known: int) -> None:
    """These invoices are orders now, `known` of them since before; their lines are no longer needed here."""
    order_ids = [identity.order_id for identity in placed.values()]
    run_sql(connection, _NOTE_PLACED, id=import_id, invoices=list(placed), order_ids=order_ids)
    run_sql(connection, _COUNT_PLACED, id=import_id, placed=len(placed), known=known, now=clock.now())


def reject_waiting(connection: Connection, import_id: str, verdicts: Mapping[str, str]) -> None:
    """Accepted orders that turned out, when they were to be placed, not to be acceptable (invoice → why)."""
    run_sql(connection, _REJECT_WAITING, id=import_id, invoices=list(verdicts), verdicts=list(verdicts.values()))


def settle(connection: Connection, import_id: str, at_most: int) -> int:
    """Count the import's orders that have ended since; returns how many of those stored have not."""
    unended = {row.order_id: row.invoice for row in rows_of(connection, _UNENDED, id=import_id, at_most=at_most)}
    if ended := {row.id: row.status for row in rows_of(connection, _ENDED, ids=list(unended))}:
        run_sql(connection, _DROP_ENDED, id=import_id, invoices=[unended[order_id] for order_id in ended])
        by_status = orjson.dumps(Counter(ended.values())).decode()
        run_sql(connection, _COUNT_ENDED, id=import_id, orders=len(ended), by_status=by_status, now=clock.now())
    return int(rows_of(connection, _UNFINISHED, id=import_id)[0].orders)


def silent_uploads(connection: Connection, since: datetime) -> Sequence[str]:
    """Imports whose file stopped coming before it was whole."""
    return [row.id for row in rows_of(connection, _SILENT, since=since)]


def forget(connection: Connection, since: datetime, at_most: int) -> int:
    """Drop rows, waiting orders, demand and rejects of imports that ended before `since`; returns how many."""
    dropped = (rows_of(connection, _FORGET.format(table=table), since=since, at_most=at_most) for table in _FORGOTTEN)
    return sum(map(len, dropped))
