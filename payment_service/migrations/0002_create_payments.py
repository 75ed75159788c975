"""Payments: one for each order, with what was asked of the provider beside it."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table; half of each page is left for the one update that nearly every payment sees."""
    op.execute(
        """
        CREATE TABLE payments (
            order_id uuid PRIMARY KEY,
            id uuid NOT NULL UNIQUE,
            status text NOT NULL CHECK (status IN ('INTENT', 'SENDING', 'CAPTURED', 'DECLINED', 'UNAVAILABLE',
                'UNKNOWN', 'CLOSED', 'VOIDED', 'PARTIALLY_REFUNDED', 'REFUNDED')),
            amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
            currency text NOT NULL,
            payment_method text NOT NULL,
            reserved_until timestamptz NOT NULL,
            captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor BETWEEN 0 AND amount_minor),
            refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND captured_minor),
            provider_reference text NOT NULL DEFAULT '',
            decline_code text NOT NULL DEFAULT '',
            decline_reason text NOT NULL DEFAULT '',
            attempts jsonb NOT NULL,
            unknown_steps integer NOT NULL DEFAULT 0,
            next_try_at timestamptz,
            is_start_told boolean NOT NULL DEFAULT false,
            is_void_requested boolean NOT NULL DEFAULT false,
            is_voiding boolean NOT NULL DEFAULT false,
            version integer NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            CHECK ((status = 'UNKNOWN') = (next_try_at IS NOT NULL))
        ) WITH (fillfactor = 50)
        """
    )
