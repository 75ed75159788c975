"""The catalogue: what can be ordered, and for how much."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    """
    CREATE TABLE products (
        sku text COLLATE "C" PRIMARY KEY,
        name text NOT NULL,
        price_minor bigint NOT NULL CHECK (price_minor >= 0),
        currency text NOT NULL,
        supply text NOT NULL CHECK (supply IN ('STOCK', 'SUPPLIER')),
        supplier text,
        supplier_scenario text,
        active boolean NOT NULL,
        version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK (supply = 'STOCK' OR supplier IS NOT NULL)
    )
    """,
    "CREATE INDEX products_by_age ON products (created_at, sku)",
)


def upgrade() -> None:
    """Make the table, and the index that its pages are read by."""
    for statement in _STATEMENTS:
        op.execute(statement)
