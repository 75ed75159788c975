"""Stock: the balance of each SKU, which the database itself keeps from being oversold."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; most of each page is left free, for every order changes some of its rows twice."""
    op.execute(
        """
        CREATE TABLE stock (
            sku text COLLATE "C" PRIMARY KEY REFERENCES products,
            on_hand bigint NOT NULL DEFAULT 0,
            reserved bigint NOT NULL DEFAULT 0,
            CHECK (on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand)
        ) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)
        """
    )
