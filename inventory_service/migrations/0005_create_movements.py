"""The ledger: every change of every balance, never changed and never deleted."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    # The identity is drawn under the lock of the SKU's stock row: within a SKU, movements are numbered in their order.
    """
    CREATE TABLE movements (
        cause_id uuid NOT NULL,
        sku text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        on_hand_delta bigint NOT NULL,
        reserved_delta bigint NOT NULL,
        order_id uuid,
        reason text NOT NULL DEFAULT '',
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (cause_id, sku, kind),
        CHECK (CASE kind
            WHEN 'reservation' THEN on_hand_delta = 0 AND reserved_delta > 0
            WHEN 'sale' THEN on_hand_delta < 0 AND reserved_delta = on_hand_delta
            WHEN 'release' THEN on_hand_delta = 0 AND reserved_delta < 0
            WHEN 'receipt' THEN on_hand_delta > 0 AND reserved_delta = 0
            WHEN 'restock' THEN on_hand_delta > 0 AND reserved_delta = 0
            WHEN 'adjustment' THEN on_hand_delta <> 0 AND reserved_delta = 0
            ELSE false END)
    ) WITH (autovacuum_vacuum_insert_scale_factor = 0.5)
    """,
    "CREATE INDEX movements_by_sku ON movements (sku, id)",
    # Once for a statement, and never for an insert: what the ledger costs must not grow with its rows.
    """
    CREATE FUNCTION refuse_to_change_the_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'movements are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER movements_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_ledger()
    """,
    """
    CREATE TABLE ledger_sums (
        sku text COLLATE "C" PRIMARY KEY,
        movement_id bigint NOT NULL,
        on_hand bigint NOT NULL,
        reserved bigint NOT NULL
    ) WITH (fillfactor = 50)
    """,
)


def upgrade() -> None:
    """Make the ledger, what keeps it append-only, and the sums up to which it was checked against the balances."""
    for statement in _STATEMENTS:
        op.execute(statement)
