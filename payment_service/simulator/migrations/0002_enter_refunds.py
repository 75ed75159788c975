"""Refunds in the books: each under a key of its own, beside the key of its charge."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    "ALTER TABLE entries ADD COLUMN charge_key uuid",
    "ALTER TABLE entries DROP CONSTRAINT entries_kind_check",
    "ALTER TABLE entries DROP CONSTRAINT entries_outcome_check",
    "ALTER TABLE entries ADD CONSTRAINT entries_kind_check CHECK (kind IN ('charge', 'void', 'refund'))",
    """
    ALTER TABLE entries ADD CONSTRAINT entries_outcome_check
    CHECK (outcome IN ('captured', 'declined', 'voided', 'refunded'))
    """,
    "ALTER TABLE entries ADD CONSTRAINT entries_refund_of CHECK ((kind = 'refund') = (charge_key IS NOT NULL))",
    "CREATE INDEX entries_refunds ON entries (charge_key) WHERE charge_key IS NOT NULL",
)


def upgrade() -> None:
    """Let them in."""
    for statement in _STATEMENTS:
        op.execute(statement)
