"""Imports: the files taken, their rows while they are checked, their orders, rejects, identities and demand."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """
    CREATE TABLE imports (
        id uuid PRIMARY KEY,
        source text NOT NULL,
        status text NOT NULL CHECK (status IN
            ('STAGING', 'CHECKING', 'PLACING', 'SETTLING', 'DONE', 'CHECKED', 'REFUSED', 'CANCELLED')),
        dry_run boolean NOT NULL,
        currency text NOT NULL,
        rows bigint NOT NULL DEFAULT 0,
        orders bigint NOT NULL DEFAULT 0,
        already_imported bigint NOT NULL DEFAULT 0,
        rejected_orders bigint NOT NULL DEFAULT 0,
        rejected_rows bigint NOT NULL DEFAULT 0,
        placed_orders bigint NOT NULL DEFAULT 0,
        terminal_orders bigint NOT NULL DEFAULT 0,
        ended_by_status jsonb NOT NULL DEFAULT '{}',
        checked_up_to text COLLATE "C",
        failure_message text,
        traceparent text NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL,
        touched_at timestamptz NOT NULL,
        placing_since timestamptz,
        finished_at timestamptz
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX imports_under_way ON imports (id) WHERE status IN ('CHECKING', 'PLACING', 'SETTLING')",
    """
    CREATE TABLE import_rows (
        import_id uuid NOT NULL,
        line bigint NOT NULL,
        invoice text COLLATE "C" NOT NULL,
        sku text COLLATE "C" NOT NULL,
        name text NOT NULL,
        quantity bigint,
        unit_price_minor bigint,
        placed_at timestamptz,
        customer_id text NOT NULL,
        country text NOT NULL,
        reason text
    )
    """,
    "CREATE INDEX import_rows_by_invoice ON import_rows (import_id, invoice, line)",
    """
    CREATE TABLE import_orders (
        import_id uuid NOT NULL,
        invoice text COLLATE "C" NOT NULL,
        customer_id text NOT NULL,
        country text NOT NULL,
        placed_at timestamptz NOT NULL,
        line_count integer NOT NULL,
        lines jsonb,
        fingerprint text NOT NULL,
        order_id uuid,
        PRIMARY KEY (import_id, invoice)
    )
    """,
    "CREATE INDEX import_orders_to_place ON import_orders (import_id, invoice) WHERE order_id IS NULL",
    "CREATE INDEX import_orders_placed ON import_orders (import_id, order_id) WHERE order_id IS NOT NULL",
    """
    CREATE TABLE import_rejects (
        import_id uuid NOT NULL,
        line bigint NOT NULL,
        invoice text NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (import_id, line)
    )
    """,
    """
    CREATE TABLE import_identities (
        source text NOT NULL,
        invoice text COLLATE "C" NOT NULL,
        order_id uuid NOT NULL,
        fingerprint text NOT NULL,
        PRIMARY KEY (source, invoice)
    )
    """,
    """
    CREATE TABLE import_demand (
        import_id uuid NOT NULL,
        sku text COLLATE "C" NOT NULL,
        name text NOT NULL,
        unit_price_minor bigint NOT NULL,
        quantity bigint NOT NULL,
        PRIMARY KEY (import_id, sku)
    )
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
