"""Payments that only a person can settle, and the unknown ones found without reading the others."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the flag and the index; the common path sets neither of the columns that the index reads."""
    op.execute("ALTER TABLE payments ADD COLUMN needs_operator boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX payments_unknown ON payments (created_at) WHERE next_try_at IS NOT NULL")
