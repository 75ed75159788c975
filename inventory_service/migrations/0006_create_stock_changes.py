"""Receipts and adjustments: what was changed by hand, once for each key of a SKU."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE stock_changes (
            sku text COLLATE "C" NOT NULL,
            idempotency_key text NOT NULL,
            id uuid NOT NULL UNIQUE,
            fingerprint bytea NOT NULL,
            quantity_delta bigint NOT NULL CHECK (quantity_delta <> 0),
            reason text NOT NULL,
            on_hand bigint NOT NULL,
            reserved bigint NOT NULL,
            at timestamptz NOT NULL,
            PRIMARY KEY (sku, idempotency_key)
        )
        """
    )
