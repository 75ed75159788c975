"""Finds the unfinished orders that are due and those that were asked after, however many others wait.

Neither index is touched while an order is young: its row comes without a time and goes without one.
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make both indexes."""
    op.execute("CREATE INDEX unfinished_due ON unfinished (next_ask_at) WHERE next_ask_at IS NOT NULL")
    op.execute("CREATE INDEX unfinished_stuck ON unfinished (order_id) WHERE asks > 0")
