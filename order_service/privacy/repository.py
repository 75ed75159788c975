"""All SQL that forgets: the customer's name gives way to its pseudonym, and what they wrote is gone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from chassis.database import rows_of, run_sql
from order_service.privacy.domain import Forgetting
from order_service.privacy.queries import COLUMNS, forgetting_of

_BEGIN: Final = f"""
INSERT INTO forgotten (pseudonym, customer_id, status, asked_by, trace_id, asked_at)
VALUES (pseudonym_of(:customer_id), :customer_id, 'FORGETTING', :asked_by, CAST(:trace_id AS uuid), :at)
ON CONFLICT (pseudonym) DO UPDATE SET customer_id = excluded.customer_id, status = excluded.status,
    asked_by = excluded.asked_by, trace_id = excluded.trace_id, asked_at = excluded.asked_at, forgotten_at = NULL
RETURNING {COLUMNS}
"""

# What a customer may have written: why they cancelled, and what an operator noted of a refund.
_RENAME: Final = """
WITH chosen AS (
    SELECT id FROM orders WHERE customer_id = :customer_id
        AND status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED') ORDER BY id LIMIT :most FOR UPDATE
), renamed AS (
    UPDATE orders SET customer_id = :pseudonym, metadata = NULL, external_ref = NULL, version = version + 1,
        updated_at = :at
    FROM chosen WHERE orders.id = chosen.id RETURNING orders.id, version, status
), silenced AS (
    UPDATE refunds SET reason = '' FROM chosen WHERE refunds.order_id = chosen.id AND reason <> ''
), redacted AS (
    UPDATE timeline SET
        actor = CASE WHEN actor = 'customer:' || CAST(:customer_id AS text)
            THEN 'customer:' || CAST(:pseudonym AS text) ELSE actor END,
        reason = CASE WHEN to_status = 'CANCELLING' AND from_status <> to_status THEN 'Cancelled on request.'
            ELSE regexp_replace(reason, '^(A refund of [^:]* was asked for): .*$', '\\1.') END
    FROM chosen WHERE timeline.order_id = chosen.id AND (actor = 'customer:' || CAST(:customer_id AS text)
        OR to_status = 'CANCELLING' OR (from_status = to_status AND reason LIKE 'A refund of % was asked for%'))
), told AS (
    INSERT INTO timeline (order_id, version, from_status, to_status, reason, actor, at, trace_id)
    SELECT id, version, renamed.status, renamed.status, 'Its customer was forgotten.', asked_by, :at, trace_id
    FROM renamed CROSS JOIN forgotten WHERE forgotten.pseudonym = :pseudonym
), counted AS (
    UPDATE forgotten SET orders = orders + (SELECT count(*) FROM chosen) WHERE pseudonym = :pseudonym
)
SELECT count(*) AS orders FROM chosen
"""
_ENDED: Final = "('SETTLING', 'DONE', 'CHECKED', 'REFUSED', 'CANCELLED')"
_RENAME_STAGED: Final = tuple(
    f"UPDATE {table} SET customer_id = :pseudonym, country = '' FROM imports"
    f" WHERE imports.id = import_id AND customer_id = :customer_id AND imports.status IN {_ENDED}"
    for table in ("import_orders", "import_rows")
)
_RENAME_TOTALS: Final = """
WITH gone AS (
    DELETE FROM report_customers WHERE customer_id = :customer_id RETURNING generation, spent_minor, orders
), renamed AS (
    INSERT INTO report_customers AS known (generation, customer_id, spent_minor, orders)
    SELECT generation, CAST(:pseudonym AS text), spent_minor, orders FROM gone
    ON CONFLICT (generation, customer_id) DO UPDATE
    SET spent_minor = known.spent_minor + excluded.spent_minor, orders = known.orders + excluded.orders
), turned AS (
    UPDATE report_state SET turn = turn + 1 WHERE EXISTS (SELECT FROM gone)
)
INSERT INTO report_changes (customers, skus)
SELECT ARRAY[CAST(:customer_id AS text), CAST(:pseudonym AS text)], CAST('{}' AS text[]) WHERE EXISTS (SELECT FROM gone)
"""
_RENAME_ACTOR: Final = """
UPDATE audit SET actor = 'customer:' || CAST(:pseudonym AS text)
WHERE actor = 'customer:' || CAST(:customer_id AS text)
"""
_END: Final = """
UPDATE forgotten SET status = 'FORGOTTEN', customer_id = NULL, forgotten_at = :at WHERE pseudonym = :pseudonym
"""


def stop_placing(connection: Connection) -> None:
    """Wait until no transaction is placing orders, and let none begin before this one has ended.

    Whoever places reads `forgotten` in the statement that stores, and holds it until the end; locks are taken before a
    statement looks at the database, so who places after this sees what it has written.
    """
    run_sql(connection, "LOCK TABLE forgotten IN ACCESS EXCLUSIVE MODE")


def begin(connection: Connection, customer_id: str, asked_by: str, trace_id: str | None, at: datetime) -> Forgetting:
    """Write down that this customer is to be forgotten."""
    given = {"customer_id": customer_id, "asked_by": asked_by, "trace_id": trace_id, "at": at}
    return forgetting_of(rows_of(connection, _BEGIN, **given)[0])


def stop_counting(connection: Connection) -> None:
    """Nobody counts for reports until the end of this transaction: half of a name is in no figure."""
    rows_of(connection, "SELECT turn FROM report_state FOR UPDATE")


def rename_orders(connection: Connection, forgetting: Forgetting, most: int, at: datetime) -> int:
    """Take the customer's name and words from the next orders that have ended; how many."""
    return int(rows_of(connection, _RENAME, **_names(forgetting), most=most, at=at)[0].orders)


def rename_staged(connection: Connection, forgetting: Forgetting) -> None:
    """The same for what imports that have ended still keep."""
    for statement in _RENAME_STAGED:
        run_sql(connection, statement, **_names(forgetting))


def rename_totals(connection: Connection, forgetting: Forgetting) -> None:
    """Figures stay as they are, under the other name; Redis is told of both."""
    run_sql(connection, _RENAME_TOTALS, **_names(forgetting))


def end(connection: Connection, forgetting: Forgetting, at: datetime) -> None:
    """From now on nobody knows who it was."""
    run_sql(connection, _RENAME_ACTOR, **_names(forgetting))
    run_sql(connection, _END, pseudonym=forgetting.pseudonym, at=at)


def _names(forgetting: Forgetting) -> Mapping[str, Any]:
    return {"customer_id": forgetting.customer_id, "pseudonym": forgetting.pseudonym}
