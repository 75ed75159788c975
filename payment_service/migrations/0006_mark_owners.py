"""Whose payment it is, as a mark: customers are shown their own alone. Payments from before have none, and are not."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A column that the previous release neither reads nor writes."""
    op.execute("ALTER TABLE payments ADD COLUMN owner_mark bytea")
