"""Supplier orders by the supplier's reference, which a webhook may name, and those that are open, to be counted."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make both indexes."""
    op.execute(
        "CREATE INDEX supplier_orders_by_reference ON supplier_orders (supplier, reference) WHERE reference <> ''"
    )
    op.execute(
        """
        CREATE INDEX supplier_orders_open ON supplier_orders (status, created_at)
        WHERE status IN ('REQUESTED', 'ACCEPTED')
        """
    )
