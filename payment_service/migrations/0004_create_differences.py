"""What the provider's books and ours do not agree about."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; a difference is told once it has lasted for a while."""
    op.execute(
        """
        CREATE TABLE differences (
            payment_id uuid PRIMARY KEY,
            order_id text NOT NULL,
            detail text NOT NULL,
            found_at timestamptz NOT NULL,
            is_told boolean NOT NULL DEFAULT false
        )
        """
    )
