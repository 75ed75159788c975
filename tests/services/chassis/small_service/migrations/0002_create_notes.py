"""A second step, so that there is a schema older than the code."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it."""
    op.execute("CREATE TABLE notes (note text NOT NULL)")
