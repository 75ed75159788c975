"""The simulated provider's books: what was charged and taken back under which key."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the books; a key can charge once, and be voided once."""
    op.execute(
        """
        CREATE TABLE entries (
            key uuid NOT NULL,
            kind text NOT NULL CHECK (kind IN ('charge', 'void')),
            order_id uuid NOT NULL,
            amount_minor bigint NOT NULL,
            currency text NOT NULL,
            payment_method text NOT NULL,
            outcome text NOT NULL CHECK (outcome IN ('captured', 'declined', 'voided')),
            decline_code text NOT NULL DEFAULT '',
            decline_reason text NOT NULL DEFAULT '',
            effective_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (key, kind)
        )
        """
    )
    op.execute("CREATE TABLE requests (key uuid PRIMARY KEY, times bigint NOT NULL)")
