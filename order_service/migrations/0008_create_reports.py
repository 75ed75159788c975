"""Reports: marks of what is to be counted, the totals they add up to, and what of those is still to be told to Redis.

The saga only ever inserts marks, one row for each order that is completed or given money back; all else is written by
one job at a time. Totals belong to a generation, so that a rebuild can add up the next one while the present one is
read and goes on.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    # Small and busy, as the outbox: a row comes with each completed order, and goes a moment later.
    """
    CREATE TABLE report_marks (
        id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
        order_id uuid NOT NULL,
        is_refund boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
            autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000)
    """,
    """
    CREATE TABLE report_state (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        turn bigint NOT NULL,
        generation bigint NOT NULL DEFAULT 0,
        building bigint,
        walked_to uuid,
        rebuild_asked_at timestamptz NOT NULL DEFAULT now(),
        rebuilt_at timestamptz,
        edition bigint NOT NULL DEFAULT 0,
        is_published boolean NOT NULL DEFAULT false
    )
    """,
    """
    CREATE TABLE report_customers (
        generation bigint NOT NULL,
        customer_id text COLLATE "C" NOT NULL,
        spent_minor numeric NOT NULL,
        orders bigint NOT NULL,
        PRIMARY KEY (generation, customer_id)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE report_products (
        generation bigint NOT NULL,
        sku text COLLATE "C" NOT NULL,
        units bigint NOT NULL,
        revenue_minor numeric NOT NULL,
        PRIMARY KEY (generation, sku)
    ) WITH (fillfactor = 70)
    """,
    "CREATE TABLE report_days (day date PRIMARY KEY, revision bigint NOT NULL) WITH (fillfactor = 50)",
    # What of an order's refunds is in the totals; orders without refunds have no row.
    """
    CREATE TABLE report_refunds (
        order_id uuid PRIMARY KEY,
        refunded_minor bigint NOT NULL,
        returned jsonb NOT NULL
    )
    """,
    """
    CREATE TABLE report_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        customers text[] NOT NULL,
        skus text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    # What an order comes to by SKU, net of its refunds: pieces that came back are not sold, and none are when all of
    # the money went back. Money goes first to the goods that came back, at most their price, then to all that is left,
    # each time in proportion; whole minor units, so that the parts add up to the whole.
    """
    CREATE FUNCTION report_lines(items jsonb, refunded_minor numeric, returned jsonb)
    RETURNS TABLE (sku text, units bigint, revenue_minor numeric) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        WITH sold AS (
            SELECT line.sku, sum(line.quantity) AS pieces, sum(line.quantity * line.unit_price_minor) AS minor
            FROM jsonb_to_recordset(items) AS line (sku text, quantity numeric, unit_price_minor numeric)
            GROUP BY line.sku
        ), back AS (
            SELECT sold.sku, pieces, minor, CASE WHEN refunded_minor >= sum(minor) OVER () THEN pieces
                ELSE LEAST(pieces, COALESCE(CAST(returned ->> sold.sku AS numeric), 0)) END AS back_pieces
            FROM sold
        ), priced AS (
            SELECT back.sku, pieces - back_pieces AS kept_pieces, minor, div(minor * back_pieces, pieces) AS back_minor
            FROM back
        ), added AS (
            SELECT priced.sku, kept_pieces, minor, back_minor,
                sum(back_minor) OVER byte_order AS back_so_far, sum(back_minor) OVER () AS back_all,
                sum(minor - back_minor) OVER byte_order AS left_so_far, sum(minor - back_minor) OVER () AS left_all
            FROM priced WINDOW byte_order AS (ORDER BY priced.sku COLLATE "C")
        ), split AS (
            SELECT added.*, LEAST(refunded_minor, back_all) AS for_back,
                LEAST(GREATEST(refunded_minor - back_all, 0), left_all) AS for_left
            FROM added
        )
        SELECT split.sku, CAST(kept_pieces AS bigint), minor
            - CASE WHEN back_all > 0 THEN div(for_back * back_so_far, back_all)
                - div(for_back * (back_so_far - back_minor), back_all) ELSE 0 END
            - CASE WHEN left_all > 0 THEN div(for_left * left_so_far, left_all)
                - div(for_left * (left_so_far - (minor - back_minor)), left_all) ELSE 0 END
        FROM split
    $$
    """,
)


def upgrade() -> None:
    """Make them; without a row of state the job begins with a rebuild, and so counts the orders that are there."""
    for statement in _STATEMENTS:
        op.execute(statement)
