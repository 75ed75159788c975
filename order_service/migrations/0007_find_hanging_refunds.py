"""Finds the refunds that nobody has answered, and the orders that need attention, ended ones as well.

No order of the happy path comes into either index.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Refunds get a time at which they are asked for again; what the previous release writes gets one as well."""
    op.execute(
        "ALTER TABLE refunds ADD COLUMN asks integer NOT NULL DEFAULT 0,"
        " ADD COLUMN next_ask_at timestamptz NOT NULL DEFAULT now() + interval '1 minute'"
    )
    op.execute("CREATE INDEX refunds_due ON refunds (next_ask_at) WHERE status IN ('PENDING', 'UNKNOWN')")
    op.execute("CREATE INDEX orders_attended ON orders (attention) WHERE attention IS NOT NULL")
