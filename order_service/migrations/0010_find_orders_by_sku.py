"""Finds the orders that have a line of a product (decision 0009).

New orders are only noted beside the index; a job folds them in every few seconds, long before the list is so long that
whoever places an order would have to (16 MB: some 100,000 orders).
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the index."""
    op.execute(
        "CREATE INDEX orders_by_sku ON orders USING gin (jsonb_path_query_array(items, '$[*].sku') jsonb_path_ops)"
        " WITH (fastupdate = on, gin_pending_list_limit = 16384)"
    )
