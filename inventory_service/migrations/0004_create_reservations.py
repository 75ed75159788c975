"""Reservations: one for each order, or for each id that a caller named; and what waiting ones still miss."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    # Nearly every reservation changes once, in its status alone: no index may stand on that column, so that the
    # change stays within the page.
    """
    CREATE TABLE reservations (
        id uuid PRIMARY KEY,
        holder text NOT NULL CHECK (holder IN ('order', 'rpc')),
        status text NOT NULL CHECK (status IN ('HELD', 'WAITING', 'COMMITTED', 'RELEASED', 'REJECTED')),
        lines jsonb NOT NULL,
        shortages jsonb,
        expires_at timestamptz,
        sweep_at timestamptz CHECK (sweep_at IS NULL OR (holder = 'rpc' AND status = 'HELD')),
        traceparent text,
        created_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX reservations_to_sweep ON reservations (sweep_at) WHERE sweep_at IS NOT NULL",
    """
    CREATE TABLE waiting (
        reservation_id uuid NOT NULL,
        sku text COLLATE "C" NOT NULL,
        missing bigint NOT NULL CHECK (missing > 0),
        PRIMARY KEY (reservation_id, sku)
    )
    """,
    "CREATE INDEX waiting_by_sku ON waiting (sku, reservation_id)",
)


def upgrade() -> None:
    """Make both tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
