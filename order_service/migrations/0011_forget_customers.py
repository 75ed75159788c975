"""Customers who are being forgotten, and what stands in their place afterwards.

A pseudonym is a salted sum; the salt is made here, once for each installation. It is the same for the same customer,
so that a late retry still finds its order, and nobody's name to who reads it. While a customer is being forgotten, and
only then, the row knows them.
"""

import secrets

from alembic import op

revision = "0011"
down_revision = "0010"

_STATEMENTS = (
    f"""
    CREATE FUNCTION pseudonym_of(customer_id text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'forgotten-' || left(encode(sha256(
        decode('{secrets.token_hex(32)}', 'hex') || convert_to(customer_id, 'UTF8')), 'hex'), 32)
    """,
    """
    CREATE TABLE forgotten (
        pseudonym text COLLATE "C" PRIMARY KEY,
        customer_id text COLLATE "C" UNIQUE,
        status text NOT NULL CHECK (status IN ('FORGETTING', 'FORGOTTEN')),
        orders bigint NOT NULL DEFAULT 0,
        asked_by text NOT NULL,
        trace_id uuid,
        asked_at timestamptz NOT NULL,
        forgotten_at timestamptz,
        CONSTRAINT forgotten_knows_nobody_afterwards CHECK ((status = 'FORGETTING') = (customer_id IS NOT NULL))
    )
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
