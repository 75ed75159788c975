"""Refunds: money of completed orders that is, or was, to be given back."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table; equal keys of an order name one refund."""
    op.execute(
        """
        CREATE TABLE refunds (
            order_id uuid NOT NULL,
            idempotency_key text COLLATE "C" NOT NULL,
            id uuid NOT NULL UNIQUE,
            fingerprint bytea NOT NULL,
            amount_minor bigint NOT NULL CHECK (amount_minor > 0),
            items jsonb NOT NULL,
            restock boolean NOT NULL,
            reason text NOT NULL,
            status text NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'UNKNOWN')),
            failure_message text,
            attention text,
            next_try_at timestamptz,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (order_id, idempotency_key)
        )
        """
    )
