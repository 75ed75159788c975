"""Refunds: money of payments that is, or was, to be given back."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table; a refund is named by its order and its own id, which is also its key at the provider."""
    op.execute(
        """
        CREATE TABLE refunds (
            order_id uuid NOT NULL,
            id uuid NOT NULL UNIQUE,
            amount_minor bigint NOT NULL,
            status text NOT NULL CHECK (status IN ('SENDING', 'UNKNOWN', 'SUCCEEDED', 'FAILED')),
            sent_at timestamptz,
            not_sent integer NOT NULL,
            errors integer NOT NULL,
            refusals integer NOT NULL,
            unknown_steps integer NOT NULL,
            attention text NOT NULL,
            next_try_at timestamptz,
            reason text NOT NULL,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (order_id, id)
        )
        """
    )
