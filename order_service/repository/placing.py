"""Orders as they are placed: rows, first steps and first facts of a whole batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection

from chassis import tracing
from chassis.database import rows_of
from chassis.failpoints import failpoint
from chassis.outbox import tell
from order_service import wire
from order_service.domain import PaymentStatus, Status, Wanted
from order_service.tables import CONTEXT, Shown, Standing, Terms

_INSERT: Final = """
WITH given AS (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:customer_ids AS text[]), CAST(:keys AS text[]), CAST(:fingerprints AS bytea[]),
        CAST(:totals AS bigint[]), CAST(:currencies AS text[]), CAST(:policies AS text[]), CAST(:methods AS text[]),
        CAST(:external_refs AS text[]), CAST(:metadatas AS jsonb[]), CAST(:items AS jsonb[]),
        CAST(:placed_ats AS timestamptz[]), CAST(:actors AS text[]), CAST(:trace_ids AS uuid[]))
    AS given (id, customer_id, idempotency_key, fingerprint, total_minor, currency, stock_policy, payment_method,
              external_ref, metadata, items, placed_at, actor, trace_id)
), placed AS (
    INSERT INTO orders (id, customer_id, idempotency_key, fingerprint, total_minor, currency, stock_policy,
                        payment_method, external_ref, metadata, items, placed_at, created_at, updated_at, version,
                        status, payment_status)
    SELECT id, customer_id, idempotency_key, fingerprint, total_minor, currency, stock_policy, payment_method,
           external_ref, metadata, items, placed_at, :at, :at, 1, 'PENDING', 'NONE'
    FROM given
    WHERE (SELECT NOT EXISTS (SELECT FROM forgotten)) OR NOT EXISTS (
        SELECT FROM forgotten WHERE forgotten.customer_id = given.customer_id
        UNION ALL
        SELECT FROM orders AS kept JOIN forgotten ON forgotten.pseudonym = kept.customer_id
        WHERE kept.customer_id = pseudonym_of(given.customer_id) AND kept.idempotency_key = given.idempotency_key)
    ON CONFLICT DO NOTHING RETURNING id
), told AS (
    INSERT INTO timeline (order_id, version, to_status, reason, actor, at, trace_id)
    SELECT id, 1, 'PENDING', 'Placed.', actor, :at, trace_id FROM given JOIN placed USING (id)
), watched AS (
    INSERT INTO unfinished (order_id) SELECT id FROM placed
)
SELECT id FROM placed
"""


class Draft(NamedTuple):
    """An order that is about to be stored."""

    id: str
    terms: Terms
    wanted: Sequence[Wanted]
    fingerprint: bytes
    actor: str
    traceparent: str

    def shown(self) -> Shown:
        """The order as it is shown once it is stored."""
        at = self.terms.created_at
        return Shown(
            Standing(
                self.id,
                Status.PENDING,
                PaymentStatus.NONE,
                1,
                at,
                False,
                None,
                0,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
            ),
            self.terms,
        )


def insert_orders(connection: Connection, drafts: Sequence[Draft], at: datetime) -> set[str]:
    """Store the drafts whose keys are free, with their first steps and facts; the ids of those stored.

    Rule (protocols: placing): keys are inserted in order, so that two batches with the same keys never wait for each
    other in a circle. A key that another transaction is about to take is waited for.

    Rule (protocols: forget): nothing is stored for a customer who is being forgotten, nor under a key that stands
    already for one who was.
    """
    drafts = sorted(drafts, key=lambda draft: (draft.terms.customer_id, draft.terms.idempotency_key))
    placed = {row.id for row in rows_of(connection, _INSERT, at=at, **_columns(drafts))}
    failpoint("orders.place.after_insert")
    tell(
        connection,
        [
            wire.order_placed(draft.id, draft.terms, draft.wanted, draft.traceparent)
            for draft in drafts
            if draft.id in placed
        ],
        CONTEXT,
    )
    return placed


def _columns(drafts: Sequence[Draft]) -> dict[str, object]:
    terms = [draft.terms for draft in drafts]
    return {
        "ids": [draft.id for draft in drafts],
        "customer_ids": [each.customer_id for each in terms],
        "keys": [each.idempotency_key for each in terms],
        "fingerprints": [draft.fingerprint for draft in drafts],
        "totals": [each.total_minor for each in terms],
        "currencies": [each.currency for each in terms],
        "policies": [each.stock_policy for each in terms],
        "methods": [each.payment_method for each in terms],
        "external_refs": [each.external_ref for each in terms],
        "metadatas": [orjson.dumps(each.metadata).decode() if each.metadata else None for each in terms],
        "items": [orjson.dumps(each.items).decode() for each in terms],
        "placed_ats": [each.placed_at for each in terms],
        "actors": [draft.actor for draft in drafts],
        "trace_ids": [tracing.trace_id_of(draft.traceparent) or None for draft in drafts],
    }
