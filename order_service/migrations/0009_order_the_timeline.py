"""The timeline in the order of its transactions, for those who are told what is new.

Written at its right end only, the steps of a batch side by side.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX timeline_by_transaction ON timeline (transaction_id)")
