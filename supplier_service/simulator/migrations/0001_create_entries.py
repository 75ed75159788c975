"""The simulated suppliers' books: what they took on, and how often they were asked."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the books; a key is one supplier order."""
    op.execute(
        """
        CREATE TABLE entries (
            key uuid PRIMARY KEY,
            sku text NOT NULL DEFAULT '',
            quantity bigint NOT NULL DEFAULT 0,
            scenario text NOT NULL DEFAULT '',
            state text NOT NULL DEFAULT '' CHECK (state IN ('', 'accepted', 'rejected', 'delivered', 'cancelled')),
            requests integer NOT NULL DEFAULT 0,
            checks integer NOT NULL DEFAULT 0,
            accepted_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
