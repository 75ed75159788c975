"""Whose each entry is, and when the webhook about it is due, so that one that was not sent is sent after a restart."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Entries of before belong to nobody in particular, and have no webhook due."""
    op.execute("ALTER TABLE entries ADD COLUMN supplier text NOT NULL DEFAULT '', ADD COLUMN tell_at timestamptz")
    op.execute("CREATE INDEX entries_to_tell ON entries (tell_at) WHERE tell_at IS NOT NULL")
