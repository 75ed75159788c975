"""Orders, every step of their life, and the list of those that have not ended.

What an update changes stands first in the row and side by side, and no index contains it: so the updates of the happy
path stay on their page (HOT), touch no index, and write little to the log. `unusual` repeats the status where it is
none of the happy path's, for an index that the happy path does not touch either; the happy path's own unfinished orders
are found through `unfinished`.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    """
    CREATE FUNCTION is_step(from_status text, to_status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN COALESCE(CASE to_status
        WHEN 'AWAITING_RESTOCK' THEN from_status = 'PENDING'
        WHEN 'RESERVED' THEN from_status IN ('PENDING', 'AWAITING_RESTOCK')
        WHEN 'PAYMENT_PROCESSING' THEN from_status = 'RESERVED'
        WHEN 'COMPLETED' THEN from_status = 'PAYMENT_PROCESSING'
        WHEN 'CANCELLING' THEN from_status IN ('PENDING', 'AWAITING_RESTOCK', 'RESERVED', 'PAYMENT_PROCESSING')
        WHEN 'CANCELLED' THEN from_status = 'CANCELLING'
        WHEN 'COMPENSATING' THEN from_status IN ('AWAITING_RESTOCK', 'RESERVED', 'PAYMENT_PROCESSING')
        WHEN 'FAILED' THEN from_status IN ('PENDING', 'COMPENSATING')
        WHEN 'EXPIRED' THEN from_status = 'COMPENSATING'
        ELSE false END, false)
    """,
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        refunded_minor bigint NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL,
        reserved_until timestamptz,
        next_try_at timestamptz,
        completed_at timestamptz,
        cancelled_at timestamptz,
        version integer NOT NULL,
        is_held boolean NOT NULL DEFAULT false,
        is_stock_released boolean NOT NULL DEFAULT false,
        status text NOT NULL,
        previous_status text,
        payment_status text NOT NULL CHECK (payment_status IN
            ('NONE', 'PENDING', 'PAID', 'PARTIALLY_REFUNDED', 'REFUNDED', 'VOIDED', 'FAILED', 'UNKNOWN')),
        unusual text GENERATED ALWAYS AS
            (CASE WHEN status NOT IN ('PENDING', 'RESERVED', 'PAYMENT_PROCESSING', 'COMPLETED') THEN status END) STORED,
        attention text,
        failure_code text,
        failure_message text,
        failure_details jsonb,
        placed_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        total_minor bigint NOT NULL CHECK (total_minor > 0),
        currency text NOT NULL,
        customer_id text COLLATE "C" NOT NULL,
        idempotency_key text COLLATE "C" NOT NULL,
        fingerprint bytea NOT NULL,
        stock_policy text NOT NULL CHECK (stock_policy IN ('REJECT', 'BACKORDER')),
        payment_method text NOT NULL,
        external_ref text,
        metadata jsonb,
        items jsonb NOT NULL,
        CONSTRAINT orders_one_per_key UNIQUE (customer_id, idempotency_key),
        CONSTRAINT orders_refunded_within_total CHECK (refunded_minor BETWEEN 0 AND total_minor),
        CONSTRAINT orders_legal_step
            CHECK (CASE WHEN status = 'PENDING' THEN previous_status IS NULL ELSE is_step(previous_status, status) END)
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX orders_by_placed_at ON orders (placed_at DESC, id DESC)",
    "CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC, id DESC)",
    "CREATE INDEX orders_unusual ON orders (unusual, placed_at DESC, id DESC) WHERE unusual IS NOT NULL",
    """
    CREATE FUNCTION refuse_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'order % cannot go from % to % by way of %',
            NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status END, NEW.status, NEW.previous_status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_legal_step';
    END
    $$
    """,
    """
    CREATE TRIGGER orders_begin_pending BEFORE INSERT ON orders FOR EACH ROW
    WHEN (NEW.status <> 'PENDING') EXECUTE FUNCTION refuse_step()
    """,
    # The CHECK sees one row only; the trigger sees where it came from. An update makes at most two steps.
    """
    CREATE TRIGGER orders_take_legal_steps BEFORE UPDATE OF status, previous_status ON orders FOR EACH ROW
    WHEN (NOT COALESCE(
        NEW.previous_status = OLD.status
        OR is_step(OLD.status, NEW.previous_status)
        OR (NEW.status = OLD.status AND NEW.previous_status IS NOT DISTINCT FROM OLD.previous_status), false))
    EXECUTE FUNCTION refuse_step()
    """,
    """
    CREATE TABLE timeline (
        order_id uuid NOT NULL,
        trace_id uuid,
        at timestamptz NOT NULL,
        transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
        version integer NOT NULL,
        from_status text,
        to_status text NOT NULL,
        actor text NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (order_id, version),
        CONSTRAINT timeline_legal_step CHECK (
            CASE WHEN from_status IS NULL THEN to_status = 'PENDING' AND version = 1
            ELSE from_status = to_status OR is_step(from_status, to_status) END)
    )
    """,
    # Small and busy: a row comes with each order and goes with its end.
    """
    CREATE TABLE unfinished (
        order_id uuid PRIMARY KEY,
        asks integer NOT NULL DEFAULT 0,
        next_ask_at timestamptz
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
