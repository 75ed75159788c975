"""The price copy: products as inventory last told of them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table; it fills itself from the topic, and from the catalogue question."""
    op.execute(
        """
        CREATE TABLE prices (
            sku text COLLATE "C" PRIMARY KEY,
            version bigint NOT NULL,
            price_minor bigint NOT NULL CHECK (price_minor >= 0),
            is_active boolean NOT NULL,
            currency text NOT NULL,
            name text NOT NULL
        ) WITH (fillfactor = 80)
        """
    )
