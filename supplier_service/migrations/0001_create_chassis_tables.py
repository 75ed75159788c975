"""The chassis' tables in this schema."""

from alembic import op

from chassis.tables import create_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    create_chassis_tables(op.execute)
