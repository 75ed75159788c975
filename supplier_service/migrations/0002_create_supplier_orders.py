"""Supplier orders: one for each order and SKU; and the orders for which nothing is to be ordered any more."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.execute(
        """
        CREATE TABLE supplier_orders (
            order_id uuid NOT NULL,
            sku text NOT NULL,
            id uuid NOT NULL UNIQUE,
            status text NOT NULL CHECK (status IN ('REQUESTED', 'ACCEPTED', 'DELIVERED', 'REJECTED', 'FAILED',
                'CANCELLED', 'NOT_NEEDED')),
            quantity bigint NOT NULL CHECK (quantity > 0),
            supplier text NOT NULL,
            scenario text NOT NULL,
            reference text NOT NULL DEFAULT '',
            checks_made integer NOT NULL DEFAULT 0,
            delayed_answers integer NOT NULL DEFAULT 0,
            failures integer NOT NULL DEFAULT 0,
            next_check_at timestamptz,
            failure_code text NOT NULL DEFAULT '',
            failure_message text NOT NULL DEFAULT '',
            is_cancel_requested boolean NOT NULL DEFAULT false,
            version integer NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (order_id, sku)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute(
        """
        CREATE TABLE closed_orders (
            order_id uuid PRIMARY KEY,
            closed_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
